// One line of a transcript as a command: `complete w1#2 result=b`. Worker w1 is guarded, w2 is not, unless the line says
// otherwise. `w1#2` is a session with a lease token; `w1#e` means the last token granted, `w1#e'` the one before it.
import { StatusCode } from "../../src/base/status-code.ts";
import type { Command, CommandOutcome, StoppedCommand } from "../../src/engine/commands.ts";
import type { OperationPolicy, OperationRecord } from "../../src/engine/operation.ts";
import {
  cancelCommand,
  completeCommand,
  failCommand,
  type Holder,
  sampleKey,
  simple,
  startCommand,
  stoppedCommand,
  UNIT,
} from "../../src/testing/sample-operation.ts";

/** The words of a line: the command, its flags and words, and its `key=value` pairs. */
export interface CommandLine {
  text: string;
  verb: string;
  words: readonly string[];
  values: ReadonlyMap<string, string>;
  /** The operation's name: `name=b`, or a. */
  name: string;
}

export function parseLine(text: string): CommandLine {
  const [verb = "", ...rest] = text.trim().split(/\s+/);
  const words = rest.filter((word) => !word.includes("="));
  const values = new Map(
    rest.filter((word) => word.includes("=")).map((word) => word.split("=", 2) as [string, string]),
  );
  return { text: text.trim(), verb, words, values, name: values.get("name") ?? "a" };
}

/** The session and token of `w1#2`. */
export function holderOf(line: CommandLine, record: OperationRecord | null): Holder {
  const [session = "", token = ""] = (line.words[0] ?? "").split("#");
  const last = record?.leaseToken ?? 0;
  const tokens: Record<string, number> = { e: last, "e'": last - 1 };
  const value = tokens[token] ?? Number(token);
  if (token === "" || Number.isNaN(value)) throw new Error(`"${line.text}": say the lease token, as in w1#1`);
  return { session, token: value };
}

/** The command that a line stands for; null when the verb is none of the engine's commands. */
export function commandOf(line: CommandLine, record: OperationRecord | null, now: number): Command | null {
  const { verb, name, words } = line;
  const session = words[0] ?? "";
  switch (verb) {
    case "start":
      return startOf(line, now);
    case "lease":
    case "reserve": {
      const guarded = session === "w1" ? !words.includes("unguarded") : words.includes("guarded");
      return simple.assign(session, { guarded, begin: verb === "lease" }, name);
    }
    case "cancel": {
      const grace = line.values.get("grace");
      const graceMs = grace === undefined ? null : Number(grace);
      return cancelCommand({ name, graceMs, includeDeleted: words.includes("deleted") });
    }
    case "delete":
      return simple.remove(name);
    case "expire":
      return simple.expire(session, words.includes("survived"), name);
    case "tick":
      return simple.tick(name);
    case "open":
      return openOf(session);
    case "close":
      return {
        type: "closeSession",
        session,
        survivors: words.includes("survived") ? [sampleKey(name).name] : [],
      };
    case "acquire":
      return {
        type: "acquire",
        session,
        types: ["test.work"],
        limit: 10,
        guarded: session === "w1",
        begin: true,
      };
    default:
      return reportOf(line, record);
  }
}

function startOf({ name, values }: CommandLine, now: number): Command {
  const deadline = values.get("deadline");
  const requestId = values.get("request");
  const choice = {
    name,
    maxAttempts: Number(values.get("maxAttempts") ?? 2),
    cancellable: values.get("cancellable") !== "no",
    onDelete: (values.get("onDelete") ?? "keep") as OperationPolicy["onDelete"],
    deadline: deadline === undefined ? null : now + Number(deadline) * UNIT,
  };
  const requestKey = requestId ? { method: "Start", requestId, digest: values.get("body") ?? "body" } : null;
  return { ...startCommand(choice), requestKey };
}

function openOf(session: string): Command {
  const types = ["test.work"];
  const guarded = session === "w1";
  return {
    type: "openSession",
    session,
    kind: "remote",
    worker: session,
    build: "",
    principal: "",
    types,
    slots: 1,
    guarded,
    bootId: "",
    leaseMs: 10,
  };
}

function reportOf(line: CommandLine, record: OperationRecord | null): Command | null {
  const { verb, name, words, values } = line;
  const known = [
    "begin",
    "return",
    "release",
    "progress",
    "checkpoint",
    "delivered",
    "acknowledged",
    "escalated",
  ];
  if (![...known, "complete", "fail", "stopped"].includes(verb)) return null;
  const holder = holderOf(line, record);
  switch (verb) {
    case "begin":
      return simple.begin(holder, name);
    case "return":
      return simple.giveBack(holder, name);
    case "release":
      return simple.release(holder, name);
    case "progress":
      return simple.progress(holder, Number(values.get("percent") ?? 50), name);
    case "checkpoint":
      return simple.checkpoint(holder, name);
    case "complete":
      return completeCommand(holder, values.get("result") ?? "done", name);
    case "fail":
      return failCommand(holder, {
        name,
        code: Number(
          values.get("code") ?? (words.includes("abort") ? StatusCode.CANCELLED : StatusCode.INTERNAL),
        ),
        retryable: words.includes("retryable"),
        abortCaused: words.includes("abort"),
      });
    case "stopped":
      return stoppedCommand(holder, (words[1] ?? "HANDLER_STOPPED") as StoppedCommand["evidence"], name);
    default:
      return simple.phase(holder, verb.toUpperCase() as "DELIVERED", name);
  }
}

/** `RUNNING rev=2 attempt=1/2 w1#1`. */
export function recordText(record: OperationRecord): string {
  const { state, revision, attempt, policy, lease, held, outcome, cancel, deleteTime } = record;
  const parts = [state, `rev=${revision}`, `attempt=${attempt}/${policy.maxAttempts}`];
  if (lease) parts.push(`${lease.session}#${lease.token}${lease.begun ? "" : " reserved"}`);
  if (held) parts.push(`held by ${held.session}#${held.token}`);
  if (outcome?.kind === "response") parts.push(`response=${outcome.digest}`);
  if (outcome?.kind === "error") parts.push(`error=${outcome.status.code}`);
  if (cancel) parts.push(`${cancel.cause}=${cancel.evidence ?? "open"}`);
  if (deleteTime !== null) parts.push("deleted");
  return parts.join(" ");
}

/** `ok`, `STOPPING`, `late evidence`, `refused LEASE_LOST`; "nothing changed" where an accepted command had nothing to do. */
export function answerText(outcome: CommandOutcome): string {
  switch (outcome.type) {
    case "refused":
      return `refused ${outcome.reason}`;
    case "granted":
      return `granted ${outcome.grants.length}`;
    case "settled":
      return `settled ${outcome.count}`;
    case "session":
      return "ok";
    default: {
      const word = { operation: "ok", late: "late evidence", cancel: "" }[outcome.type];
      const answer = outcome.type === "cancel" ? outcome.verdict : word;
      return outcome.changed ? answer : `${answer}, nothing changed`;
    }
  }
}
