// The payloads of declared APIs: handlers take the ProtoJSON of the typed request, and what they answer becomes a message of
// the type that their method declares.
import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { invalidField } from "../../base/rpc-error.ts";
import { anyToJson, messageToJson } from "../../protocol/any.ts";
import { REQUEST_RECURSION_MAX } from "../../protocol/binary-request.ts";
import { STRUCT_TYPE_URL } from "../../protocol/struct.ts";
import { typedPayload, typeNameOf } from "../../protocol/typed-payload.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { type EncodeResponse, type PayloadCodec, structCodec } from "../worker/payload-codec.ts";
import { startMethodsOf } from "./start-methods.ts";

/**
 * The codec of a server's services. Operation types without a start method keep plain JSON. Throws a StartMethodError as
 * startMethodsOf does.
 */
export function createPayloadCodec(declarations: readonly ServiceDeclaration[]): PayloadCodec {
  const registries = new Map<string, Registry>();
  const encoders = new Map<string, EncodeResponse>();
  for (const declaration of declarations) {
    registries.set(declaration.id, declaration.registry);
    for (const { type, response } of startMethodsOf(declaration)) {
      encoders.set(`${declaration.id}\n${type}`, typedResponseEncoder(response, declaration.registry));
    }
  }
  return {
    decodeRequest(service, request) {
      const registry = registries.get(service);
      if (request.typeUrl === STRUCT_TYPE_URL || registry === undefined) {
        return structCodec.decodeRequest(service, request);
      }
      const desc = registry.getMessage(typeNameOf(request.typeUrl));
      const message = desc && decode(desc, request.bytes);
      // A type that is not declared any more: its bytes, with their type.
      if (!desc || !message) return anyToJson(request, registry);
      return messageToJson(desc, message, registry) as JsonObject;
    },
    responseEncoder: (service, type) =>
      encoders.get(`${service}\n${type}`) ?? structCodec.responseEncoder(service, type),
  };
}

function decode(desc: DescMessage, bytes: Uint8Array): Message | undefined {
  try {
    return fromBinary(desc, bytes, { recursionLimit: REQUEST_RECURSION_MAX, readUnknownFields: false });
  } catch {
    return undefined;
  }
}

/** No answer is an empty message. What does not fit the type is named: the field, and what was expected. */
function typedResponseEncoder(desc: DescMessage, registry: Registry): EncodeResponse {
  return (response) => {
    const message = response === null ? create(desc) : parse(desc, response, registry);
    return typedPayload(desc, message, "response", registry).payload;
  };
}

function parse(desc: DescMessage, response: JsonObject, registry: Registry): Message {
  try {
    return fromJson(desc, response, { registry });
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw invalidField("response", `is no ${desc.typeName}: ${problem}`);
  }
}
