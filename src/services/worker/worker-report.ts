// What a remote worker reports of an attempt, as the engine's command; and what became of it, as the answer.

import { fromBinary } from "@bufbuild/protobuf";
import { invalidField, RpcError } from "../../base/rpc-error.ts";
import { StatusCode } from "../../base/status-code.ts";
import type { CancelStep, CommandOutcome, Refusal } from "../../engine/commands.ts";
import type { Payload, StatusValue } from "../../engine/operation.ts";
import type { FencedCommand } from "../../engine/session.ts";
import {
  Ack_Outcome,
  type Report,
  type Report_CancelPhase,
  type Report_Completed,
  type Report_Failed,
  type Report_Stopped,
} from "../../protocol/gen/belay/v1/workers_pb.ts";
import { type Status, StatusSchema } from "../../protocol/gen/google/rpc/status_pb.ts";
import { jsonPayload } from "../../protocol/json-payload.ts";
import { encodeStatus } from "../../protocol/status.ts";
import { STRUCT_TYPE_URL } from "../../protocol/struct.ts";
import { typeNameOf } from "../../protocol/typed-payload.ts";
import type {
  AttemptKey,
  JsonObject,
  StopEvidence,
  StopMechanism,
} from "../../protocol/worker-connection.ts";
import {
  fromDuration,
  fromWireEvidence,
  fromWireMechanism,
  fromWirePhase,
} from "../../protocol/worker-messages.ts";
import type { PayloadCodec } from "./payload-codec.ts";
import { reportDigest } from "./report-digest.ts";

const DETAIL_LENGTH_MAX = 1024;
const ERROR_LENGTH_MAX = 8192;
/** A cancel has five; sections that follow each other may be more. */
const STEPS_MAX = 32;

/** Where a response is encoded: the operation's service and type, and the codec that knows them. */
export interface ResponsePlace {
  codec: PayloadCodec;
  service: string;
  /** Asked only for a response. */
  typeOf(): Promise<string>;
}

/**
 * The command of a report. Rejects with an RpcError of code INVALID_ARGUMENT for a report that the same worker would be
 * refused again: an empty one, a number out of its limits, a response that is not of its declared type.
 */
export async function readReport(
  { report, steps: told }: Report,
  { service, tenant, name, leaseToken: token }: AttemptKey,
  session: string,
  place: ResponsePlace,
): Promise<FencedCommand> {
  const fenced = { key: { service, tenant, name }, session, token };
  const steps = readSteps(told);
  switch (report.case) {
    case "started":
      return { ...fenced, type: "begin" };
    case "returned":
      return { ...fenced, type: "return" };
    case "released":
      return { ...fenced, type: "release" };
    case "progress": {
      const { percent, message } = report.value;
      if (!(percent >= 0 && percent <= 100))
        throw invalidField("progress.percent", `is ${percent}; takes 0 to 100`);
      checkLength("progress.message", message);
      return { ...fenced, type: "progress", progress: { percent, message } };
    }
    case "checkpoint":
      return {
        ...fenced,
        type: "checkpoint",
        checkpoint: jsonPayload(report.value as JsonObject, "checkpoint"),
      };
    case "cancelPhase":
      return { ...fenced, type: "cancelPhase", ...readStep(report.value, "cancel_phase"), ...steps };
    case "completed": {
      const response = readResponse(report.value, place, await place.typeOf());
      const digest = reportDigest(response.typeUrl, response.bytes);
      return { ...fenced, type: "complete", response, digest, ...steps };
    }
    case "failed":
      return { ...fenced, type: "fail", ...readFailure(report.value), ...steps };
    case "stopped":
      return { ...fenced, type: "stopped", ...readStop(report.value, "stopped"), ...steps };
    default:
      throw new RpcError("WORKER_PROTOCOL", { problem: "a report says nothing" });
  }
}

/** Absent where nothing is told. */
function readSteps(steps: readonly Report_CancelPhase[]): { steps?: readonly CancelStep[] } {
  if (steps.length === 0) return {};
  if (steps.length > STEPS_MAX)
    throw invalidField("steps", `has ${steps.length} entries; takes at most ${STEPS_MAX}`);
  return { steps: steps.map((step, index) => readStep(step, `steps[${index}]`)) };
}

function readStep({ phase: number, detail, ago }: Report_CancelPhase, at: string): CancelStep {
  const phase = fromWirePhase(number);
  if (phase === undefined) throw invalidField(`${at}.phase`, "is none that is known here");
  checkLength(`${at}.detail`, detail);
  const agoMs = fromDuration(ago);
  if (agoMs < 0) throw invalidField(`${at}.ago`, `is ${agoMs} ms; takes 0 or more`);
  return { phase, detail, agoMs };
}

/**
 * The response as it is stored: in the type that the operation declares, whatever form of it the worker sent (its JSON as
 * a Struct, or the message itself).
 */
function readResponse(
  { response }: Report_Completed,
  { codec, service }: ResponsePlace,
  type: string,
): Payload {
  const encode = codec.responseEncoder(service, type);
  if (response === undefined) return encode(null);
  const given: Payload = { typeUrl: response.typeUrl, bytes: response.value };
  const isEmpty = typeNameOf(given.typeUrl) === "google.protobuf.Empty";
  if (isEmpty) return encode(null);
  const stored = encode(codec.decodeRequest(service, given));
  const wanted = typeNameOf(stored.typeUrl);
  if (given.typeUrl !== STRUCT_TYPE_URL && typeNameOf(given.typeUrl) !== wanted) {
    throw invalidField("completed.response", `is a ${typeNameOf(given.typeUrl)}; ${type} answers ${wanted}`);
  }
  return stored;
}

/** How much of a clean-up's problems goes on the receipt. */
const CLEAN_UP_MAX = 1024;

function readFailure(
  failed: Report_Failed,
): Omit<Extract<FencedCommand, { type: "fail" }>, keyof Fenced | "type"> {
  const error = readStatus(failed.error);
  return {
    error,
    retryable: failed.retryable,
    abortCaused: failed.abortCaused,
    ...readStop(failed, "failed"),
    ...(failed.cleanUp !== "" && { cleanUp: failed.cleanUp.slice(0, CLEAN_UP_MAX) }),
    digest: reportDigest(String(error.code), error.message),
  };
}

type Fenced = Pick<FencedCommand, "key" | "session" | "token">;

/** Code 0 is no error, and a code that nobody knows is UNKNOWN; the details are the worker's own affair. */
function readStatus(status: Status | undefined): StatusValue {
  const code = status?.code ?? 0;
  const message = (status?.message ?? "").slice(0, ERROR_LENGTH_MAX).toWellFormed();
  return { code: code >= 1 && code <= 16 ? code : StatusCode.UNKNOWN, message, details: [] };
}

function readStop(
  stop: Pick<Report_Stopped, "evidence" | "mechanism">,
  at: string,
): { evidence: StopEvidence; mechanism: StopMechanism } {
  const evidence = fromWireEvidence(stop.evidence);
  const mechanism = fromWireMechanism(stop.mechanism);
  if (evidence === undefined)
    throw invalidField(`${at}.evidence`, "is required: how is it known that the work has stopped?");
  if (mechanism === undefined)
    throw invalidField(`${at}.mechanism`, "is required: NONE where nothing was done to the work");
  return { evidence, mechanism };
}

function checkLength(field: string, text: string): void {
  if (text.length <= DETAIL_LENGTH_MAX) return;
  throw invalidField(field, `has ${text.length} characters; takes at most ${DETAIL_LENGTH_MAX}`);
}

/** The answer to a report. */
export interface ReportAnswer {
  outcome: Ack_Outcome;
  error?: Status;
}

/** What became of a report's command. */
export function answerOf(outcome: CommandOutcome, command: FencedCommand["type"]): ReportAnswer {
  if (outcome.type !== "refused") return { outcome: Ack_Outcome.ACCEPTED };
  switch (outcome.reason) {
    case "ALREADY_BEGUN":
      // The answer to the first one was lost on its way.
      if (command === "begin") return { outcome: Ack_Outcome.ACCEPTED };
      return refusedFor("the attempt has begun: it cannot be returned", outcome);
    case "NOT_BEGUN":
      return refusedFor("the attempt has not begun: report `started` first", outcome);
    case "NOT_CANCELLING":
      return refusedFor("nothing asked the attempt to stop", outcome);
    case "ALREADY_DONE":
      return { outcome: Ack_Outcome.ALREADY_DONE };
    case "NOT_FOUND":
      return { outcome: Ack_Outcome.ALREADY_DONE }; // done and deleted, or purged: over all the same
    case "NOT_RETRYABLE":
      return { outcome: Ack_Outcome.NOT_RETRYABLE };
    case "CANCEL_PENDING":
      return { outcome: Ack_Outcome.CANCEL_PENDING };
    default:
      return { outcome: Ack_Outcome.LEASE_LOST };
  }
}

function refusedFor(problem: string, refusal: Refusal): ReportAnswer {
  const place = refusal.record ? ` (${refusal.record.name} is ${refusal.record.state})` : "";
  return refusedReport(new RpcError("WORKER_PROTOCOL", { problem: problem + place }));
}

/** The answer to a report that is wrong in itself. */
export function refusedReport(error: RpcError): ReportAnswer {
  return { outcome: Ack_Outcome.REFUSED, error: toWireStatus(error) };
}

/** With its ErrorInfo: a worker tells refusals apart by their reasons. */
export function toWireStatus(error: RpcError): Status {
  return fromBinary(StatusSchema, encodeStatus(error));
}
