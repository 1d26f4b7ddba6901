// The worker-transport port: how the engine reaches the worker of a session, whatever carries it.
import type { Grant } from "./commands.ts";
import type { CancelRequest, OperationKey, OperationRecord } from "./operation.ts";

/** Calls return at once; what gets lost is repeated (cancel) or heals by the lease (grant, revoke). */
export interface WorkerTransport {
  /** True if grants only reserve, and the worker says when an attempt begins; false: each grant begins its attempt. */
  readonly reserves: boolean;
  /** True if what was taken away and may still run is not in this process: it keeps the session from no new work. */
  readonly runsElsewhere?: boolean;
  /** Reserved, or begun (see `reserves`), and that is durable. */
  granted(grant: Grant): void;
  /** A committed cancel or deadline for a running attempt; again whenever its times got shorter. */
  cancelRequested(record: OperationRecord, token: number, cancel: CancelRequest): void;
  /** The attempt was taken away from this session: its reports will be refused. */
  revoked(key: OperationKey, token: number, record: OperationRecord): void;
  /** Of an embedded session with a timed lease: `Session.leaseEndMs` has moved. */
  renewed?(): void;
  /** The server stops: the worker gives back what it has not begun, and connects elsewhere. */
  drain(): void;
  /** The session is over on this side: its lease passed, or another stream of the worker took its place. */
  ended(why: "expired" | "replaced" | "closed"): void;
}
