// Writes the tables of docs/internals/state-machine.md: runs `transition` over every situation of an operation and every
// command, and puts what it did between the page's markers. The rest of the page is written by hand.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ChildEndedCommand, OperationCommand } from "../src/engine/commands.ts";
import { nextTimer, type OperationRecord } from "../src/engine/operation.ts";
import { transition } from "../src/engine/transition.ts";
import {
  cancelCommand,
  completeCommand,
  EPOCH,
  failCommand,
  type Holder,
  type PolicyChoice,
  sampleKey,
  simple,
  startCommand,
  stoppedCommand,
  UNIT,
} from "../src/testing/sample-operation.ts";

/** An operation as a command may find it. */
interface Situation {
  /** The state, or "-" for no operation. */
  state: string;
  /** What else matters, in words; "" where the state says all. */
  when: string;
  /** What its next timer is, or "". */
  timer: Timer | "";
  record: OperationRecord | null;
}

type Timer = "the operation's deadline" | "watch deadline" | "attempt or stall timeout" | "cancel deadline";

interface Event {
  /** As the tables say it. */
  name: string;
  make(holder: Holder): OperationCommand;
  /** It comes when this timer is due, and only then. */
  timer?: Timer;
  /** It is about operations that somebody has to watch. */
  isWatching?: boolean;
}

const w1: Holder = { session: "w1", token: 1 };
const begun = simple.assign("w1", { guarded: true, begin: true });
const begunUnguarded = simple.assign("w1", { guarded: false, begin: true });
const reserved = simple.assign("w1", { guarded: true, begin: false });

/** The operation after these commands, with time between them where a number of units stands. */
function situation(
  { when = "", timer = "" }: { when?: string; timer?: Timer | "" },
  choice: PolicyChoice & { deadline?: number },
  ...script: (OperationCommand | number)[]
): Situation {
  let now = EPOCH;
  let record = transition(null, startCommand(choice), now).record;
  for (const step of script) {
    if (typeof step === "number") now += step * UNIT;
    else record = transition(record, step, now).record;
  }
  return { state: record?.state ?? "-", when, timer, record };
}

const twice = { maxAttempts: 2 };
const once = { maxAttempts: 1 };
const soon = { deadline: EPOCH + UNIT };

const unwatched = { maxAttempts: 1, unwatchedMs: 1 };
/** A child that ended, as its parent is told of it. */
const ended = { outcome: "CANCELLED", unconfirmed: false, wasUnconfirmed: false } as const;

function childEnded(
  how: Partial<Pick<ChildEndedCommand, "outcome" | "unconfirmed" | "wasUnconfirmed">>,
): OperationCommand {
  return {
    type: "childEnded",
    key: sampleKey(),
    child: { service: "default", name: "operations/c" },
    ...ended,
    ...how,
  };
}

/** The same operation with one child that is awaited. */
function withChild(from: Situation, when: string): Situation {
  const children = { started: 1, awaited: 1, unconfirmed: 0, stopMs: 2 };
  return { ...from, when, record: from.record && { ...from.record, children } };
}

/** The same operation after one more command. */
function then(from: Situation, command: OperationCommand): Situation {
  const record = transition(from.record, command, EPOCH).record;
  return { ...from, state: record?.state ?? "-", record };
}

const watchDeadline = { timer: "watch deadline" } as const;
const deadline = { timer: "the operation's deadline" } as const;
const timeout = { timer: "attempt or stall timeout" } as const;
const cancelDeadline = { timer: "cancel deadline" } as const;

const situations: readonly Situation[] = [
  { state: "-", when: "", timer: "", record: null },
  situation({ ...deadline, when: "free" }, { ...twice, ...soon }),
  situation({ ...deadline, when: "reserved" }, { ...twice, ...soon }, reserved),
  situation({ when: "may still run" }, { maxAttempts: 3 }, begun, 2, simple.tick()),
  situation({ ...watchDeadline, when: "unwatched" }, unwatched),
  situation({ ...timeout, when: "attempts left" }, twice, begun),
  situation({ ...timeout, when: "last attempt" }, once, begun),
  situation({ ...deadline, when: "attempts left" }, { ...twice, ...soon }, begun, 1),
  situation({ ...deadline, when: "last attempt" }, { ...once, ...soon }, begun, 1),
  situation({ ...watchDeadline, when: "unwatched" }, unwatched, begun),
  situation({ ...cancelDeadline, when: "guarded" }, twice, begun, cancelCommand()),
  situation({ ...cancelDeadline, when: "not guarded" }, twice, begunUnguarded, cancelCommand()),
  situation({ ...cancelDeadline, when: "stopped by its deadline" }, soon, begun, 1, simple.tick()),
  withChild(situation(cancelDeadline, twice, begun, cancelCommand()), "with a child"),
  then(
    withChild(situation(cancelDeadline, twice, begun, cancelCommand()), "stopped, a child is awaited"),
    stoppedCommand(w1),
  ),
  situation({}, twice, begun, completeCommand(w1, "first")),
  situation({ when: "by a report" }, once, begun, failCommand(w1, { digest: "first" })),
  situation({ when: "timed out" }, once, begun, 2, simple.tick()),
  situation({ when: "unconfirmed" }, twice, begun, cancelCommand(), 2, simple.tick()),
  situation({}, twice, cancelCommand()),
];

const events: readonly Event[] = [
  { name: "start", make: () => startCommand() },
  { name: "assigned to a session (reserved)", make: () => reserved },
  { name: "assigned and begun", make: () => begun },
  { name: "begin", make: simple.begin },
  { name: "returned unbegun", make: simple.giveBack },
  { name: "released by a drain", make: simple.release },
  { name: "progress", make: (holder) => simple.progress(holder) },
  { name: "checkpoint", make: (holder) => simple.checkpoint(holder) },
  { name: "cancel delivered, acknowledged, escalated", make: (holder) => simple.phase(holder) },
  { name: "cancel deferred by a critical section", make: (holder) => simple.phase(holder, "DEFERRED") },
  { name: "complete", make: (holder) => completeCommand(holder) },
  { name: "failure, final", make: (holder) => failCommand(holder) },
  { name: "failure, retryable", make: (holder) => failCommand(holder, { retryable: true }) },
  { name: "failure caused by the abort", make: (holder) => failCommand(holder, { abortCaused: true }) },
  { name: "stopped, with evidence", make: (holder) => stoppedCommand(holder) },
  {
    name: "any report with a stale token, or from another session",
    make: ({ token }) => completeCommand({ session: "w2", token }),
  },
  { name: "cancel", make: () => cancelCommand() },
  { name: "cancel, forced", make: () => cancelCommand({ force: true }) },
  { name: "cancel of another revision", make: () => cancelCommand({ ifRevision: 0 }) },
  { name: "delete", make: () => simple.remove() },
  { name: "override by an operator", make: () => simple.override() },
  { name: "somebody watches (unwatchedMs is set)", make: () => simple.watched(), isWatching: true },
  { name: "the last child ended", make: () => childEnded({}) },
  {
    name: "the last child ended unconfirmed",
    make: () => childEnded({ outcome: "FAILED", unconfirmed: true }),
  },
  { name: "lease expiry", make: () => simple.expire("w1") },
  { name: "lease expiry, the work seen alive", make: () => simple.expire("w1", true) },
  { name: "attempt or stall timeout", make: () => simple.tick(), timer: "attempt or stall timeout" },
  { name: "the operation's deadline", make: () => simple.tick(), timer: "the operation's deadline" },
  { name: "watch deadline", make: () => simple.tick(), timer: "watch deadline" },
  { name: "cancel deadline", make: () => simple.tick(), timer: "cancel deadline" },
];

interface Effect {
  from: Situation;
  /** The state after, or null for a refusal. */
  to: string | null;
  /** For people: "→ RUNNING", "changes", "no change", "late evidence", or the reason of the refusal. */
  text: string;
}

function effectOf(from: Situation, event: Event): Effect {
  const { record } = from;
  const timer = record && event.timer ? nextTimer(record) : null;
  const now = Math.max(EPOCH, timer ?? 0);
  const result = transition(record, event.make({ session: "w1", token: record?.leaseToken ?? 0 }), now);
  if (result.type === "refused") return { from, to: null, text: `\`${result.reason}\`` };
  const to = result.record.state;
  if (result.record === record) return { from, to, text: "no change" };
  if (result.reply.type === "late") return { from, to, text: "late evidence" };
  return { from, to, text: to === record?.state ? "changes" : `→ ${to}` };
}

/** Values with the situations they hold in; the words of the situations only where values differ. */
function grouped(
  effects: readonly Effect[],
  value: (effect: Effect) => string,
): { value: string; when: string }[] {
  const groups = new Map<string, Set<string>>();
  for (const effect of effects) {
    const key = value(effect);
    groups.set(key, (groups.get(key) ?? new Set()).add(effect.from.when));
  }
  return [...groups].map(([text, when]) => ({
    value: text,
    when: groups.size === 1 ? "" : [...when].join(", "),
  }));
}

function effectsIn(state: string, event: Event): Effect[] {
  const found = situations.filter((from) => {
    if (from.state !== state) return false;
    if (event.timer) return from.timer === event.timer;
    // To everything else an operation that somebody has to watch is like any other.
    return (event.isWatching ?? false) === (from.timer === "watch deadline");
  });
  return found.map((from) => effectOf(from, event));
}

const states = [...new Set(situations.map(({ state }) => state))];

function edgeTable(): string {
  const rows: string[] = [];
  for (const state of states) {
    for (const event of events) {
      for (const { value, when } of grouped(effectsIn(state, event), ({ to }) => to ?? "")) {
        if (value !== "" && value !== state)
          rows.push(`| ${state} | ${event.name}${when && ` (${when})`} | ${value} |`);
      }
    }
  }
  return ["| from | event | to |", "|---|---|---|", ...rows].join("\n");
}

function answerTable(): string {
  const head = `| command | ${states.map((state) => (state === "-" ? "none" : state)).join(" | ")} |`;
  const rows = events
    .filter((event) => !event.timer)
    .map((event) => {
      const cells = states.map((state) =>
        grouped(effectsIn(state, event), ({ text }) => text)
          .map(({ value, when }) => value + (when && ` (${when})`))
          .join("; "),
      );
      return `| ${event.name} | ${cells.join(" | ")} |`;
    });
  return [head, `|---${"|---".repeat(states.length)}|`, ...rows].join("\n");
}

/** Relative to the repository. */
export const pagePath = "docs/internals/state-machine.md";

const parts: Readonly<Record<string, () => string>> = { edges: edgeTable, answers: answerTable };

/** The page with its tables as the code makes them now. Throws when a marker is missing. */
export function generatedPage(page: string): string {
  let text = page;
  for (const [name, make] of Object.entries(parts)) {
    const [open, close] = [`<!-- generated: ${name} -->`, `<!-- end: ${name} -->`];
    const [begin, end] = [text.indexOf(open), text.indexOf(close)];
    if (begin < 0 || end < begin) throw new Error(`${pagePath} has no ${open} with its ${close}`);
    text = `${text.slice(0, begin + open.length)}\n\n${make()}\n\n${text.slice(end)}`;
  }
  return text;
}

const pageUrl = new URL(`../${pagePath}`, import.meta.url);

/** The page as it is. */
export function currentPage(): string {
  return readFileSync(pageUrl, "utf8");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = currentPage();
  const text = generatedPage(page);
  if (text !== page) {
    writeFileSync(pageUrl, text);
    console.log(`wrote ${pagePath}`);
  }
}
