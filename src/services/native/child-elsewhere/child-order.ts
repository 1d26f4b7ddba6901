// What a stand-in is to start in another database: kept as its input, as JSON, so that it can be read by people and be taken
// up by any server. And where the child is then found: its checkpoint.
import type { EngineChildStart } from "../../../engine/children.ts";
import type { Payload } from "../../../engine/operation.ts";
import { STRUCT_TYPE_URL, structPayload, structValue } from "../../../protocol/struct.ts";
import type { JsonObject, JsonValue } from "../../../protocol/worker-connection.ts";

/** A child's start, without what its stand-in has of its own (tenant, creator, request id, parent). */
export type ChildOrder = Pick<
  EngineChildStart,
  | "service"
  | "idPrefix"
  | "resource"
  | "type"
  | "request"
  | "metadata"
  | "labels"
  | "description"
  | "deadline"
  | "cancellable"
>;

/** Where the child of a stand-in is. */
export interface ChildPlace {
  service: string;
  name: string;
}

/** The order as the stand-in's input. What is not said is left out. The child's own payloads were within their limits. */
export function childOrder(start: ChildOrder): Payload {
  const { service, idPrefix, resource, type, request, metadata, labels, description, deadline } = start;
  return structPayload({
    service,
    type,
    idPrefix,
    ...(resource !== "" && { resource }),
    ...(request !== null && { payload: payloadJson(request) }),
    ...(metadata !== null && { metadata: payloadJson(metadata) }),
    ...(Object.keys(labels).length > 0 && { labels: { ...labels } }),
    ...(description !== "" && { description }),
    ...(deadline !== null && { deadline }),
    ...(start.cancellable !== undefined && { cancellable: start.cancellable }),
  });
}

/** The order of a stand-in's input. */
export function childOrderOf(input: Payload | null): ChildOrder {
  const order = input === null ? {} : structValue(input);
  const { payload, metadata, labels, deadline, cancellable } = order;
  return {
    service: textOf(order["service"]),
    type: textOf(order["type"]),
    idPrefix: textOf(order["idPrefix"]),
    resource: textOf(order["resource"]),
    request: payloadOf(payload),
    metadata: payloadOf(metadata),
    labels: (labels ?? {}) as Record<string, string>,
    description: textOf(order["description"]),
    deadline: typeof deadline === "number" ? deadline : null,
    ...(typeof cancellable === "boolean" && { cancellable }),
  };
}

export function placeCheckpoint({ service, name }: ChildPlace): Payload {
  return structPayload({ service, name });
}

/** Null where the child is not known to have been started. */
export function placeOf(checkpoint: Payload | null): ChildPlace | null {
  if (checkpoint === null) return null;
  const { service, name } = structValue(checkpoint);
  return { service: textOf(service), name: textOf(name) };
}

/** A Struct as the JSON that it is; anything else as bytes with their type. */
function payloadJson({ typeUrl, bytes }: Payload): JsonObject {
  if (typeUrl === STRUCT_TYPE_URL) return { value: structValue({ typeUrl, bytes }) };
  return { typeUrl, bytes: Buffer.from(bytes).toString("base64") };
}

function payloadOf(json: JsonValue | undefined): Payload | null {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return null;
  const { value, typeUrl, bytes } = json;
  if (typeof typeUrl === "string") return { typeUrl, bytes: Buffer.from(textOf(bytes), "base64") };
  return structPayload(value as JsonObject);
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
