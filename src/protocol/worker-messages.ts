// The messages of belay.v1.Workers and the plain vocabulary of worker-connection.ts, both ways. Nothing here decides
// anything: what a message may hold is checked by who takes it.
import { create } from "@bufbuild/protobuf";
import { type Any, AnySchema, type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  Ack_Outcome,
  AttemptKeySchema,
  CancelNotice_Cause,
  Evidence,
  Mechanism,
  Report_CancelPhase_Phase as Phase,
  RevokeNotice_Cause,
  type AttemptKey as WireAttemptKey,
} from "./gen/belay/v1/workers_pb.ts";
import type { Payload } from "./payload.ts";
import type {
  AttemptKey,
  CancelNotice,
  CancelStep,
  ReportOutcome,
  RevokeNotice,
  StopEvidence,
  StopMechanism,
} from "./worker-connection.ts";

const MS_PER_SECOND = 1000;
const NANOS_PER_MS = 1_000_000;

/** Milliseconds, with a fraction, as a Duration; a negative one is 0. */
export function toDuration(ms: number): Duration {
  const nanos = Math.round(Math.max(0, ms) * NANOS_PER_MS);
  const seconds = Math.floor(nanos / (MS_PER_SECOND * NANOS_PER_MS));
  return create(DurationSchema, {
    seconds: BigInt(seconds),
    nanos: nanos - seconds * MS_PER_SECOND * NANOS_PER_MS,
  });
}

/** The milliseconds of a Duration; 0 for an absent one. */
export function fromDuration(duration: Duration | undefined): number {
  if (duration === undefined) return 0;
  return Number(duration.seconds) * MS_PER_SECOND + duration.nanos / NANOS_PER_MS;
}

export function toWireAttempt({ service, tenant, name, leaseToken }: AttemptKey): WireAttemptKey {
  return create(AttemptKeySchema, { service, tenant, name, leaseToken: BigInt(leaseToken) });
}

/** The attempt that a message names; an absent one names none. */
export function fromWireAttempt(attempt: WireAttemptKey | undefined): AttemptKey {
  if (attempt === undefined) return { service: "", tenant: "", name: "", leaseToken: 0 };
  const { service, tenant, name, leaseToken } = attempt;
  return { service, tenant, name, leaseToken: Number(leaseToken) };
}

export function toAny({ typeUrl, bytes }: Payload): Any {
  return create(AnySchema, { typeUrl, value: bytes });
}

export function fromAny({ typeUrl, value }: Any): Payload {
  return { typeUrl, bytes: value };
}

type CancelPhase = CancelStep["phase"];

const phases: Readonly<Record<CancelPhase, Phase>> = {
  DELIVERED: Phase.DELIVERED,
  DEFERRED: Phase.DEFERRED,
  CUT: Phase.CUT,
  ACKNOWLEDGED: Phase.ACKNOWLEDGED,
  ESCALATED: Phase.ESCALATED,
};

const evidences: Readonly<Record<StopEvidence, Evidence>> = {
  HANDLER_STOPPED: Evidence.HANDLER_STOPPED,
  THREAD_TERMINATED: Evidence.THREAD_TERMINATED,
  PROCESS_EXITED: Evidence.PROCESS_EXITED,
};

const mechanisms: Readonly<Record<StopMechanism, Mechanism>> = {
  NONE: Mechanism.NONE,
  SIGNAL: Mechanism.SIGNAL,
  TERMINATE: Mechanism.TERMINATE,
  SIGTERM: Mechanism.SIGTERM,
  SIGKILL: Mechanism.SIGKILL,
};

const causes: Readonly<Record<CancelNotice["cause"], CancelNotice_Cause>> = {
  cancel: CancelNotice_Cause.CANCEL,
  deadline: CancelNotice_Cause.DEADLINE,
  parent: CancelNotice_Cause.PARENT,
};

/** A worker's words for what a server answers; REFUSED and UNAVAILABLE are errors to it. */
const outcomes: Readonly<Record<ReportOutcome, Ack_Outcome>> = {
  accepted: Ack_Outcome.ACCEPTED,
  LEASE_LOST: Ack_Outcome.LEASE_LOST,
  ALREADY_DONE: Ack_Outcome.ALREADY_DONE,
  NOT_RETRYABLE: Ack_Outcome.NOT_RETRYABLE,
  CANCEL_PENDING: Ack_Outcome.CANCEL_PENDING,
};

/** The name of a number of the wire; undefined for one that is unset or unknown. */
function nameOf<Name extends string>(names: Readonly<Record<Name, number>>, value: number): Name | undefined {
  for (const name in names) if (names[name] === value) return name;
  return undefined;
}

export const toWirePhase = (phase: CancelPhase): Phase => phases[phase];
export const fromWirePhase = (phase: Phase): CancelPhase | undefined => nameOf(phases, phase);
export const toWireEvidence = (evidence: StopEvidence): Evidence => evidences[evidence];
export const fromWireEvidence = (evidence: Evidence): StopEvidence | undefined => nameOf(evidences, evidence);
export const toWireMechanism = (mechanism: StopMechanism): Mechanism => mechanisms[mechanism];
export const fromWireMechanism = (mechanism: Mechanism): StopMechanism | undefined =>
  nameOf(mechanisms, mechanism);
export const toWireCause = (cause: CancelNotice["cause"]): CancelNotice_Cause => causes[cause];
/** A cause that this side does not know is a cancel all the same. */
export const fromWireCause = (cause: CancelNotice_Cause): CancelNotice["cause"] =>
  nameOf(causes, cause) ?? "cancel";
export const toWireOutcome = (outcome: ReportOutcome): Ack_Outcome => outcomes[outcome];
/** Undefined for REFUSED, UNAVAILABLE, and what this side does not know. */
export const fromWireOutcome = (outcome: Ack_Outcome): ReportOutcome | undefined => nameOf(outcomes, outcome);

/** Why an attempt was taken away, in the worker's words. */
export function fromWireRevocation(cause: RevokeNotice_Cause): RevokeNotice["reason"] {
  return cause === RevokeNotice_Cause.TIMEOUT ? "timeout" : "lease-lost";
}
