// belay.v1.ListWorkers: the open sessions. Workers are the server's, not a tenant's: who may list them sees them all, and
// a caller whose grants are limited to parents sees none.
import { create } from "@bufbuild/protobuf";
import { MICROS_PER_MS } from "../../base/clock.ts";
import { invalidField } from "../../base/rpc-error.ts";
import type { Engine } from "../../engine/engine.ts";
import type { OpenSession } from "../../engine/store.ts";
import {
  type ListWorkersRequest,
  type ListWorkersResponse,
  ListWorkersResponseSchema,
  Operations,
  type Worker,
  WorkerSchema,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import { checkUnlimited } from "../access.ts";
import type { ServiceMethod } from "../method.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { durationBetween, timestampOf } from "../wire-time.ts";
import { isSystemType } from "./cancel-operations/system-type.ts";
import { messageMethod } from "./message-method.ts";
import { readPageSize } from "./request-fields.ts";

const PAGE_SIZE_DEFAULT = 100;
const SESSION = /^ses[a-z0-9]{1,60}$/;

/** belay.v1.ListWorkers, in the order of their session ids. */
export function listWorkers(engine: Engine, declaration: ServiceDeclaration): ServiceMethod {
  return messageMethod<ListWorkersRequest, ListWorkersResponse>(
    Operations.method.listWorkers,
    declaration,
    async ({ pageSize, pageToken }, context) => {
      checkUnlimited(context, "list", "workers");
      const size = readPageSize(pageSize, PAGE_SIZE_DEFAULT);
      // The token is the last session of the page before: it says nothing that the page did not.
      if (pageToken !== "" && !SESSION.test(pageToken)) {
        throw invalidField("page_token", "is not one that ListWorkers answered");
      }
      const sessions = (await engine.workers())
        .filter((session) => !isOwnSession(session) && session.session > pageToken)
        .sort((a, b) => (a.session < b.session ? -1 : 1));
      const page = sessions.slice(0, size);
      return create(ListWorkersResponseSchema, {
        workers: page.map(projectWorker),
        nextPageToken: sessions.length > size ? (page.at(-1)?.session ?? "") : "",
      });
    },
  );
}

/** True for the session in which the server runs its own operations: it is no worker. */
export function isOwnSession({ kind, types }: OpenSession): boolean {
  return kind === "embedded" && types.length > 0 && types.every(isSystemType);
}

/** belay.v1.Worker of an open session. */
export function projectWorker(session: OpenSession): Worker {
  return create(WorkerSchema, {
    session: session.session,
    worker: session.worker,
    buildId: session.build,
    types: [...session.types],
    slots: session.slots,
    running: session.running,
    reserved: session.reserved,
    held: session.held,
    embedded: session.kind === "embedded",
    guarded: session.guarded,
    openTime: timestampOf(session.openTime),
    principal: session.principal,
    // An embedded worker lives and dies with the server: it has no lease to renew.
    ...(session.kind === "remote" && {
      heartbeatTime: timestampOf(session.heartbeatTime),
      lease: durationBetween(0, session.leaseMs * MICROS_PER_MS),
    }),
  });
}
