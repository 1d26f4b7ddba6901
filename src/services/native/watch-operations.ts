// belay.v1.WatchOperations: the streaming method, on gRPC and as server-sent events.
import type { Engine } from "../../engine/engine.ts";
import {
  Operations,
  type WatchOperationsRequest,
  type WatchOperationsResponse,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import type { StreamMethod } from "../stream-method.ts";
import { WatchStream } from "./watch-stream.ts";

/** A client that reads nothing for this long is given up; it resumes from the last token that it has read. */
const SILENT_MS = 30_000;

/**
 * Tells every visible change of one operation, of up to 10,000 names, or of all that match a filter: in commit order, each
 * once. Without a resume token the first message says where the watch begins. Ends with INVALID_FIELD, INVALID_NAME,
 * INVALID_FILTER, INVALID_RESUME_TOKEN, RESUME_TOKEN_EXPIRED, IAM_PERMISSION_DENIED, OPERATION_NOT_FOUND (a lone name),
 * WATCH_TOO_SLOW, SHUTTING_DOWN. `silentMs` is for tests.
 */
export function createWatchMethod(
  engine: Engine,
  _declaration: ServiceDeclaration,
  { silentMs = SILENT_MS }: { silentMs?: number } = {},
): StreamMethod {
  const method: StreamMethod<WatchOperationsRequest, WatchOperationsResponse> = {
    desc: Operations.method.watchOperations,
    kind: "watch",
    open: (responses, caller) =>
      new WatchStream({ engine, responses, caller, requestId: caller.requestId, silentMs }),
    eventId: ({ resumeToken }) => resumeToken,
  };
  return method as typeof method & StreamMethod;
}
