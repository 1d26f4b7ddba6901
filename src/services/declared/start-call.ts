// One call of a start method: from the decoded request to what the engine starts. Permission comes before validity
// (AIP-211): a caller who may not start here learns nothing of what would be wrong with the request.
import { type DescField, ScalarType } from "@bufbuild/protobuf";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import { invalidField } from "../../base/rpc-error.ts";
import type { StartRequest } from "../../engine/engine.ts";
import { jsonDigest } from "../../protocol/canonical-json.ts";
import { typedPayload } from "../../protocol/typed-payload.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { checkReach } from "../access.ts";
import type { CallContext } from "../method.ts";
import { fitsParents, parentForm } from "../parent-pattern.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { initialMetadataOf } from "./initial-metadata.ts";
import { parentOfResource, resourceFieldOf } from "./operation-parent.ts";
import { requestCheckOf } from "./request-check.ts";
import { kebabCase, type StartMethod, StartMethodError } from "./start-methods.ts";
import { requestIdReaderOf } from "./start-request-id.ts";

const LABEL_VALUE_LENGTH_MAX = 63;

/** What a call is asked on its way, in this order; both throw. */
export interface StartCallChecks {
  /** Between the permission and the request's validity. */
  served(): void;
  /** Last, with the JSON that the handler will get. */
  input(json: JsonObject): void;
}

/** Reads one call. Throws IAM_PERMISSION_DENIED, INVALID_FIELD with every violation, PAYLOAD_TOO_*, or what the checks do. */
export type ReadStartCall = (
  request: ReflectMessage,
  context: CallContext,
  checks: StartCallChecks,
) => StartRequest;

/**
 * Prepares the reading of a method's calls. `labelKeys` names the request fields whose values become labels, for
 * ListOperations. Throws a StartMethodError for rules that cannot be kept, and for a request without a parent in a
 * service that has no operations at its root.
 */
export function startCallOf(
  start: StartMethod,
  declaration: ServiceDeclaration,
  labelKeys: ReadonlySet<string>,
): ReadStartCall {
  const { desc, type, fullName } = start;
  const { dialect, idPrefix, registry } = declaration;
  const checkRequest = requestCheckOf(desc.input);
  const readRequestId = requestIdReaderOf(desc.input, dialect);
  const readMetadata = initialMetadataOf(start);
  const readParent = parentReaderOf(start, declaration);
  const labelFields = desc.input.fields.filter(
    (field) =>
      labelKeys.has(field.name) && field.fieldKind === "scalar" && field.scalar === ScalarType.STRING,
  );
  const mayCancel = declaration.cancellable && !declaration.uncancellableTypes.includes(type);
  const description = sentenceOf(desc.name);
  return (request, context, checks) => {
    const { parent, problem } = readParent(request, context);
    checks.served();
    checkRequest(request);
    if (problem !== null) throw problem;
    const { payload, json } = typedPayload(desc.input, request.message, "request", registry);
    checks.input(json as JsonObject);
    const requestId = readRequestId(request, context);
    return {
      service: context.service,
      tenant: context.principal.tenant,
      idPrefix,
      parent,
      type,
      createdBy: context.principal.id,
      origin: `${dialect}/${context.transport}`,
      description,
      labels: labelsOf(request, labelFields),
      request: payload,
      metadata: readMetadata(request),
      requestId,
      requestDigest: requestId === "" ? "" : jsonDigest(json),
      method: fullName,
      deadline: null,
      traceparent: context.header("traceparent"),
      ...(mayCancel ? {} : { cancellable: false }),
    };
  };
}

/** The parent, or what is wrong with the one that the request names: told only after the rest of it was checked. */
type ReadParent = (
  request: ReflectMessage,
  context: CallContext,
) => { parent: string; problem: Error | null };

/** Throws IAM_PERMISSION_DENIED for a parent that the caller's grants do not reach. */
function parentReaderOf({ desc, fullName }: StartMethod, { id, parents }: ServiceDeclaration): ReadParent {
  const form = parents.map(parentForm).join(" or ");
  const field = resourceFieldOf(desc.input);
  if (field === null && !fitsParents("", parents)) {
    throw new StartMethodError(
      `${desc.parent.file.proto.name}: ${fullName}: ${desc.input.typeName} has no field parent or name, and service ${id} takes operations only under ${form}; expected "" (the root) among its parents, too`,
      ["parents"],
    );
  }
  return (request, context) => {
    const resource = field?.read(request) ?? "";
    const parent = parentOfResource(resource, field?.isParent ?? true, parents);
    checkReach(context, "start", parent ?? resource);
    if (parent !== null) return { parent, problem: null };
    const path = field?.path ?? "parent";
    const problem = field?.isParent
      ? `must be of the form ${form}`
      : `must be the name of a resource below ${form}`;
    return { parent: "", problem: invalidField(path, problem) };
  };
}

function labelsOf(request: ReflectMessage, fields: readonly DescField[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const field of fields) {
    const value = String(request.get(field) ?? "");
    // A longer id is found by nobody's ListOperations; the API's own limits are at most 63.
    if (value !== "" && value.length <= LABEL_VALUE_LENGTH_MAX && !/\p{Cc}/u.test(value)) {
      labels[field.name] = value;
    }
  }
  return labels;
}

/** `CreateModel` as `Create model`. */
function sentenceOf(name: string): string {
  const words = kebabCase(name).replaceAll("-", " ");
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
}
