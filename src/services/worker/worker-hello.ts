// The first message of a worker's stream: its limits, its types' policies, and whether the caller may run them.
import type { Duration } from "@bufbuild/protobuf/wkt";
import { limitProblem, type PolicyNumber, policyLimits } from "../../base/policy-limits.ts";
import { invalidField, RpcError } from "../../base/rpc-error.ts";
import type { OpenSessionCommand } from "../../engine/commands.ts";
import type { OperationPolicy } from "../../engine/operation.ts";
import type { DeclaredType } from "../../engine/store.ts";
import type { TypePolicy } from "../../protocol/gen/belay/v1/policies_pb.ts";
import type { Hello, OperationType } from "../../protocol/gen/belay/v1/workers_pb.ts";
import type { AttemptKey } from "../../protocol/worker-connection.ts";
import { fromWireAttempt } from "../../protocol/worker-messages.ts";
import type { Principal } from "../method.ts";
import { isSystemType } from "../native/cancel-operations/system-type.ts";
import { millisecondsOf } from "../wire-time.ts";

/** The limits of a Hello. */
export const helloLimits: Readonly<{
  textLengthMax: number;
  typesMax: number;
  slotsMax: number;
  leaseMsDefault: number;
  leaseMsMin: number;
  leaseMsMax: number;
}> = {
  textLengthMax: 256,
  typesMax: 1000,
  slotsMax: 100_000,
  leaseMsDefault: 15_000,
  leaseMsMin: 1_000,
  leaseMsMax: 600_000,
};

const TYPE_PATTERN = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$/;
const TYPE_LENGTH_MAX = 63;

/** What a worker asks for. */
export interface WorkerHello {
  options: Omit<OpenSessionCommand, "type" | "session">;
  types: readonly DeclaredType[];
  /** The types whose requests it wants as JSON. */
  jsonTypes: ReadonlySet<string>;
  /** The session that it comes back to; "" for a new one. */
  session: string;
  inHand: readonly AttemptKey[];
}

/**
 * Reads a Hello. Throws INVALID_FIELD for what is out of its limits, WORK_REFUSED for a type that the caller's credential
 * does not name.
 */
export function readHello(hello: Hello, principal: Principal): WorkerHello {
  const { worker, buildId, slots, guarded, bootId, session } = hello;
  const { textLengthMax, typesMax, slotsMax } = helloLimits;
  checkText("hello.worker", worker, 1);
  checkText("hello.build_id", buildId, 0);
  checkText("hello.boot_id", bootId, 0);
  checkText("hello.session", session, 0);
  if (slots < 1 || slots > slotsMax) throw invalidField("hello.slots", `is ${slots}; takes 1 to ${slotsMax}`);
  if (hello.types.length < 1 || hello.types.length > typesMax) {
    throw invalidField("hello.types", `has ${hello.types.length}; takes 1 to ${typesMax}`);
  }
  if (hello.attempts.length > slotsMax) {
    throw invalidField("hello.attempts", `has ${hello.attempts.length}; takes at most ${slotsMax}`);
  }
  const types = hello.types.map(readType);
  const names = new Set(types.map(({ type }) => type));
  if (names.size < types.length) throw invalidField("hello.types", "names a type twice");
  checkWorkable([...names], principal);
  return {
    options: {
      kind: "remote",
      worker,
      build: buildId,
      principal: principal.id,
      types: [...names],
      slots,
      guarded,
      bootId: bootId.slice(0, textLengthMax),
      leaseMs: readLease(hello.lease),
    },
    types,
    jsonTypes: new Set(hello.types.flatMap(({ type, jsonRequests }) => (jsonRequests ? [type] : []))),
    session,
    inHand: hello.attempts.map(fromWireAttempt),
  };
}

/** True if the credential of a worker names the type: itself, everything below `word.*`, or all by `*`. */
export function mayWorkOn(type: string, workerTypes: Principal["workerTypes"]): boolean {
  if (workerTypes === undefined) return true;
  if (workerTypes === null) return false;
  return workerTypes.some(
    (named) =>
      named === "*" || named === type || (named.endsWith(".*") && type.startsWith(named.slice(0, -1))),
  );
}

function checkWorkable(types: readonly string[], { workerTypes }: Principal): void {
  const refused = types.filter((type) => !mayWorkOn(type, workerTypes));
  if (refused.length === 0) return;
  const shown = refused.slice(0, 5).join(", ") + (refused.length > 5 ? ", ..." : "");
  throw new RpcError("WORK_REFUSED", { problem: `its credential does not name the type ${shown}` });
}

function readLease(lease: Duration | undefined): number {
  if (lease === undefined) return helloLimits.leaseMsDefault;
  const leaseMs = Math.round(millisecondsOf(lease, "hello.lease"));
  const { leaseMsMin, leaseMsMax } = helloLimits;
  if (leaseMs >= leaseMsMin && leaseMs <= leaseMsMax) return leaseMs;
  throw invalidField("hello.lease", `is ${leaseMs / 1000} s; takes 1 s to 600 s`);
}

function checkText(field: string, text: string, lengthMin: number): void {
  const { textLengthMax } = helloLimits;
  if (text.length >= lengthMin && text.length <= textLengthMax) return;
  throw invalidField(field, `has ${text.length} characters; takes ${lengthMin} to ${textLengthMax}`);
}

function readType({ type, policy }: OperationType, index: number): DeclaredType {
  const at = `hello.types[${index}]`;
  if (!TYPE_PATTERN.test(type) || type.length > TYPE_LENGTH_MAX) {
    throw invalidField(`${at}.type`, `${JSON.stringify(type.slice(0, 80))} is not of the form word.word`);
  }
  if (isSystemType(type)) throw invalidField(`${at}.type`, `${type} is the server's own`);
  return { type, policy: readPolicy(policy, `${at}.policy`) };
}

type DurationField = readonly [name: string, value: Duration | undefined];

/** The policy of a type; what is absent has its default (src/base/policy-limits.ts). */
function readPolicy(policy: TypePolicy | undefined, at: string): OperationPolicy {
  const duration = (field: PolicyNumber, [name, value]: DurationField): number => {
    if (value === undefined) return policyLimits[field].default;
    return checked(field, Math.round(millisecondsOf(value, `${at}.${name}`)), `${at}.${name}`, " ms");
  };
  const whole = (field: PolicyNumber, name: string, value: number | undefined): number =>
    value === undefined ? policyLimits[field].default : checked(field, value, `${at}.${name}`, "");
  const run = policy?.run;
  return {
    cancel: {
      cancellable: policy?.cancellable ?? true,
      graceMs: duration("graceMs", ["grace", policy?.grace]),
      criticalMs: duration("criticalMs", ["critical", policy?.critical]),
      cleanupMs: duration("cleanupMs", ["cleanup", policy?.cleanup]),
      killMs: duration("killMs", ["kill", policy?.kill]),
    },
    maxAttempts: whole("maxAttempts", "run.max_attempts", run?.maxAttempts),
    backoffMs: duration("backoffMs", ["run.backoff", run?.backoff]),
    backoffMaxMs: duration("backoffMaxMs", ["run.backoff_max", run?.backoffMax]),
    attemptTimeoutMs: duration("attemptTimeoutMs", ["run.attempt_timeout", run?.attemptTimeout]),
    stallTimeoutMs: duration("stallTimeoutMs", ["run.stall_timeout", run?.stallTimeout]),
    retentionMs: duration("retentionMs", ["run.retention", run?.retention]),
    onDelete: readOnDelete(policy?.onDelete ?? "", `${at}.on_delete`),
    typeLimit: whole("typeLimit", "type_limit", policy?.typeLimit),
    keyLimit: whole("keyLimit", "key_limit", policy?.keyLimit),
    unwatchedMs: duration("unwatchedMs", ["unwatched_timeout", policy?.unwatchedTimeout]),
  };
}

function checked(field: PolicyNumber, value: number, at: string, unit: string): number {
  const problem = limitProblem(value, policyLimits[field]);
  if (problem === null) return value;
  throw invalidField(at, `is ${value}${unit}: it ${problem}`);
}

function readOnDelete(text: string, at: string): OperationPolicy["onDelete"] {
  if (text === "") return "keep";
  if (text === "keep" || text === "cancel" || text === "refuse") return text;
  throw invalidField(at, `${JSON.stringify(text.slice(0, 32))} is none of keep, cancel, refuse`);
}
