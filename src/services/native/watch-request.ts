// A watch at the door: who may watch what, and from where on.
import { invalidField, RpcError } from "../../base/rpc-error.ts";
import type { Engine } from "../../engine/engine.ts";
import type { FeedWatch } from "../../engine/feed-hub.ts";
import type { OperationKey } from "../../engine/operation.ts";
import type { WatchOperationsRequest } from "../../protocol/gen/belay/v1/operations_pb.ts";
import { parseOperationName } from "../../protocol/operation-name.ts";
import { type Caller, operationKeyOf, reachableListParent } from "../access.ts";

const NAMES_MAX = 10_000;

/** What is watched, from where on, and what is told first. */
export interface WatchOrder {
  feed: FeedWatch;
  /** First the present state of everything. */
  initial: boolean;
}

/**
 * Reads the request. Throws IAM_PERMISSION_DENIED for a name or parent that the caller's grants do not reach, INVALID_NAME,
 * INVALID_FIELD, INVALID_FILTER, INVALID_RESUME_TOKEN, and OPERATION_NOT_FOUND for a lone name that nothing is known of.
 */
export async function readWatch(
  engine: Engine,
  request: WatchOperationsRequest,
  context: Caller,
): Promise<WatchOrder> {
  const { names, filter, resumeToken, initial } = request;
  const parent = reachesNames(request) ? null : reachableListParent(request.parent, context, "watch");
  const keys = readNames(request, context);
  const scope = { service: context.service, tenant: context.principal.tenant };
  // A filter is first used when something changes: what is wrong with it is told at once.
  if (filter !== "") {
    await engine.list({ ...scope, parent: parent ?? "", filter, pageSize: 1, pageToken: "" });
  }
  const after = resumeToken === "" ? null : await engine.feed.openToken(scope, resumeToken);
  const [lone] = keys;
  if (after === null && lone !== undefined && keys.length === 1) await engine.detail(lone);
  return {
    feed: {
      ...scope,
      parent,
      filter,
      names: names.length === 0 ? null : keys.map(({ name }) => name),
      after,
    },
    // Whoever resumes has had it: a browser repeats its first address, `initial` and all.
    initial: initial && after === null,
  };
}

/** Names say themselves where they are; the parent is then looked at only if there is one. */
function reachesNames({ names, parent }: WatchOperationsRequest): boolean {
  return names.length > 0 && parent === "";
}

function readNames({ names, parent }: WatchOperationsRequest, context: Caller): OperationKey[] {
  if (names.length > NAMES_MAX) {
    throw invalidField("names", `holds ${names.length} names; at most ${NAMES_MAX} are taken`);
  }
  const keys = [...new Set(names)].map((name) => operationKeyOf(name, "watch", context));
  const stranger =
    parent === "" ? undefined : keys.find(({ name }) => parseOperationName(name)?.parent !== parent);
  if (stranger !== undefined) throw invalidField("names", `${stranger.name} is not below ${parent}`);
  return keys;
}

/** True for the error of an operation that nothing is known of. */
export function isNotFound(error: unknown): boolean {
  return error instanceof RpcError && error.reason === "OPERATION_NOT_FOUND";
}
