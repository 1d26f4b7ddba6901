// Operation names: `[{parent}/]operations/{id}`. Read character by character: gRPC and REST agree on every
// name, and no pattern on a caller's text can take long.
import { RpcError } from "../base/rpc-error.ts";

/** A name taken apart. */
export interface OperationName {
  /** "" or pairs of segments, for instance `projects/p/locations/l`. */
  parent: string;
  id: string;
}

/** Where operations live unless their service says it (ServiceDeclaration.parents): anywhere. */
const ANYWHERE: readonly string[] = ["**"];

const NAME_LENGTH_MAX = 512;
const SEGMENT_LENGTH_MAX = 63;
const PARENT_SEGMENTS_MAX = 6;
const COLLECTION = "operations";

/**
 * Takes a name apart; null if it is none. Limits: 512 characters, 3 pairs of parent segments, ids
 * `[a-z0-9-]{1,63}`.
 */
export function parseOperationName(name: string): OperationName | null {
  if (name.length > NAME_LENGTH_MAX) return null;
  const idStart = name.lastIndexOf("/") + 1;
  const id = name.slice(idStart);
  const parent = parentOfCollection(name.slice(0, Math.max(0, idStart - 1)));
  return parent !== null && isOperationId(id) ? { parent, id } : null;
}

/** `parseOperationName`, throwing INVALID_NAME; `parents` are for its message alone, which shows the service's own form. */
export function operationNameOf(name: string, parents: readonly string[] = ANYWHERE): OperationName {
  const parsed = parseOperationName(name);
  if (!parsed) throw invalidName("name", name, formBelow(parents, "operations/{id}"));
  return parsed;
}

/** Puts a name together from a valid parent and id. */
export function formatOperationName({ parent, id }: OperationName): string {
  return parent === "" ? `${COLLECTION}/${id}` : `${parent}/${COLLECTION}/${id}`;
}

/**
 * The parent that ListOperations.name means: "" and `operations` are the root; `projects/p/locations/l` and
 * `projects/p/locations/l/operations` are that parent. Throws INVALID_NAME for anything else, with
 * the form that `parents` give it.
 */
export function listParentOf(name: string, parents: readonly string[] = ANYWHERE): string {
  const parent = isOperationParent(name) ? name : parentOfCollection(name);
  if (parent === null) throw invalidName("name", name, formBelow(parents, COLLECTION));
  return parent;
}

/**
 * True for "" and for 1 to 3 pairs `collection/id` of segments `[a-zA-Z0-9._~-]{1,63}`. No segment is `.` or
 * `..`, and no collection is named `operations`: `operations/x` would be a parent and an operation.
 */
export function isOperationParent(parent: string): boolean {
  if (parent === "") return true;
  if (parent.length > NAME_LENGTH_MAX) return false;
  const segments = parent.split("/");
  return (
    segments.length % 2 === 0 &&
    segments.length <= PARENT_SEGMENTS_MAX &&
    segments.every((segment, i) => isSegment(segment) && (i % 2 === 1 || segment !== COLLECTION))
  );
}

/** True for `[a-z0-9-]{1,63}`. */
export function isOperationId(id: string): boolean {
  if (id.length === 0 || id.length > SEGMENT_LENGTH_MAX) return false;
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i);
    const isDigit = code >= 0x30 && code <= 0x39;
    const isLower = code >= 0x61 && code <= 0x7a;
    if (!isDigit && !isLower && code !== 0x2d) return false;
  }
  return true;
}

/** The parent of `operations` or `{parent}/operations`; null for anything else. */
function parentOfCollection(collection: string): string | null {
  if (collection === COLLECTION) return "";
  if (!collection.endsWith(`/${COLLECTION}`)) return null;
  const parent = collection.slice(0, -COLLECTION.length - 1);
  return parent !== "" && isOperationParent(parent) ? parent : null;
}

function isSegment(segment: string): boolean {
  if (segment.length === 0 || segment.length > SEGMENT_LENGTH_MAX) return false;
  if (segment === "." || segment === "..") return false;
  for (let i = 0; i < segment.length; i++) {
    const code = segment.charCodeAt(i);
    const isDigit = code >= 0x30 && code <= 0x39;
    const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
    // - . _ ~
    if (!isDigit && !isLetter && code !== 0x2d && code !== 0x2e && code !== 0x5f && code !== 0x7e)
      return false;
  }
  return true;
}

/** `operations/{id}` below each of the parents, as an error message shows it. */
function formBelow(parents: readonly string[], child: string): string {
  const forms = parents.map((parent) => {
    if (parent === "**") return `[{parent}/]${child}`;
    return parent === "" ? child : `${parent}/${child}`;
  });
  return forms.join(" or ");
}

function invalidName(field: string, name: string, pattern: string): RpcError {
  const shown = name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)}…` : name;
  return new RpcError(
    "INVALID_NAME",
    { name: shown, pattern },
    { fieldViolations: [{ field, description: `is not of the form ${pattern}` }] },
  );
}
