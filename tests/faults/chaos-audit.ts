// Compares what a server says of a chaos run with what its callers were told and with what the processes really did.
import { type Operation, type Receipt, State } from "../../src/client/client.ts";
import type { ChaosLog } from "./chaos-clients.ts";
import type { Trouble } from "./chaos-faults.ts";
import { isAlive, stateName } from "./outside.ts";
import { type Trace, tracesOf } from "./traces.ts";

/** What is compared. */
export interface ChaosFacts {
  log: ChaosLog;
  /** Everything that the server has, in full. */
  operations: ReadonlyMap<string, Operation>;
  receipts: ReadonlyMap<string, Receipt>;
  traces: readonly Trace[];
  troubles: readonly Trouble[];
}

/** How much the wall clocks of the store and of the handlers may be apart. */
const CLOCK_MS = 1000;
/** A stopped process that goes on after its lease has this long until its watchdog ends it. */
const WAKING_MS = 500;
/** A file's time is that of the kernel's last tick, which may be 10 ms ago. */
const TICK_MS = 10;
/** A deadline is a timer of the server: after a start or a pause it waits for the workers to come back (timer-keeper.ts). */
const TIMER_MS = 3500;

/** Every lie that was found, in words; and how many of everything there were. */
export class ChaosAudit {
  readonly findings: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #facts: ChaosFacts;

  constructor(facts: ChaosFacts) {
    this.#facts = facts;
    for (const wrong of facts.log.wrong) this.findings.push(`a caller was answered ${wrong}`);
    this.#auditStarts();
    for (const operation of facts.operations.values()) this.#auditOperation(operation);
    for (const cancel of facts.log.cancels) this.#auditCancel(cancel);
    this.#auditFilters();
  }

  #check(holds: boolean, operation: Operation | { name: string }, lie: string): void {
    if (holds) return;
    const { name } = operation;
    const traces = tracesOf(this.#facts.traces, name).map((each) =>
      JSON.stringify({ ...each, beatMs: undefined }),
    );
    const told = this.#facts.operations.get(name);
    const troubles = this.#troublesOf(tracesOf(this.#facts.traces, name));
    const lines = [`${name}: ${lie}`, told ? brief(told) : "", ...traces, ...troubles];
    this.findings.push(lines.join("\n  "));
  }

  /** What befell the workers of these attempts from their begin on. */
  #troublesOf(traces: readonly Trace[]): string[] {
    const befell = this.#facts.troubles.filter(({ who, toMs }) =>
      traces.some((trace) => [trace.worker, "server"].includes(who) && toMs >= trace.beginMs),
    );
    return befell.map(({ who, what, fromMs, toMs }) => `${who}: ${what} from ${fromMs} to ${toMs}`);
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #auditStarts(): void {
    const { started, unanswered } = this.#facts.log;
    this.counts["unanswered calls"] = unanswered;
    for (const [name, start] of started) {
      this.#count("starts");
      const operation = this.#facts.operations.get(name);
      this.#check(operation !== undefined, { name }, "an acknowledged start is lost");
      if (operation) this.#check(operation.type === start.type, operation, "it is of another type");
    }
  }

  #auditOperation(operation: Operation): void {
    const { type, state, done, held, attempts, attempt, maxAttempts, cancellation } = operation;
    this.#check(done, operation, "it never ended");
    this.#check(!held, operation, "it is still held though nothing runs");
    this.#count(stateName(state));
    if (!type.startsWith("trace.")) return;
    const traces = tracesOf(this.#facts.traces, operation.name);
    this.#check(attempt <= maxAttempts, operation, "more attempts than allowed");
    const numbers = attempts.map((each) => each.attempt).join();
    const expected = Array.from({ length: attempt }, (_, index) => index + 1).join();
    this.#check(numbers === expected, operation, `its attempts are listed as ${numbers}`);
    for (const trace of traces) {
      this.#count("begins");
      this.#check(trace.begins === 1, operation, `attempt ${trace.attempt} began ${trace.begins} times`);
      this.#check(trace.attempt <= attempt, operation, `attempt ${trace.attempt} is not on record`);
      const alive = trace.pids.filter(isAlive);
      this.#check(
        alive.length === 0,
        operation,
        `processes ${alive.join()} of attempt ${trace.attempt} live`,
      );
    }
    for (const { attempt: number, outcome } of attempts) {
      this.#count(`attempts ${outcome}`);
      const trace = traces.find((each) => each.attempt === number);
      if (!trace) this.#count(`attempts ${outcome} without a begin`);
      if (outcome === "SUCCEEDED")
        this.#check(trace?.end === "done", operation, `attempt ${number} is not done, as it is said to be`);
    }
    this.#auditOverlaps(operation, traces);
    if (cancellation) this.#auditStop(operation, traces);
    if (state === State.CANCELLED)
      this.#check(this.#wasAsked(operation), operation, "nobody asked for its cancel");
  }

  /** One after the other, but where the record says that an attempt ran out of time and was not waited for any longer. */
  #auditOverlaps(operation: Operation, traces: readonly Trace[]): void {
    for (const [index, next] of traces.slice(1).entries()) {
      const before = traces[index];
      if (!before || this.#lastMs(before) <= next.beginMs) continue;
      const { outcome = "" } = operation.attempts.find((each) => each.attempt === before.attempt) ?? {};
      this.#count(`overlaps after ${outcome}`);
      this.#check(
        outcome === "TIMED_OUT",
        operation,
        `attempts ${before.attempt} and ${next.attempt} overlap`,
      );
    }
  }

  /**
   * When it last did anything. What a process did between its SIGCONT and its watchdog does not count: it was stopped when
   * its lease passed, and no program can keep it from an instruction.
   */
  #lastMs(trace: Trace): number {
    const { worker, beatMs, lastMs } = trace;
    const woken = this.#facts.troubles.filter(({ who, what }) => who === worker && what === "stop");
    const isWaking = (ms: number): boolean =>
      woken.some(({ toMs }) => ms >= toMs - TICK_MS && ms <= toMs + WAKING_MS);
    if (trace.kind === "command" || !isWaking(lastMs)) return lastMs;
    this.#count("beats of a woken worker before its end");
    return Math.max(trace.beginMs, ...beatMs.filter((ms) => !isWaking(ms)));
  }

  /** What the cancellation says of the stop, against what the attempts really did. */
  #auditStop(operation: Operation, traces: readonly Trace[]): void {
    const { cancellation, state, result } = operation;
    if (!cancellation) return;
    const { evidence, stopTime, stopConfirmedTime } = cancellation;
    const lastMs = Math.max(0, ...traces.map((trace) => this.#lastMs(trace)));
    const message = result.case === "error" ? result.value.message : "";
    const isUnconfirmed = message.startsWith("STOP_UNCONFIRMED");
    const receipt = this.#facts.receipts.get(operation.name);
    this.#check(receipt !== undefined, operation, "its cancel has no receipt");
    this.#check(receipt?.outcome === stateName(state), operation, `its receipt says ${receipt?.outcome}`);
    this.#check(receipt?.evidence === evidence, operation, `its receipt says ${receipt?.evidence}`);
    this.#auditBound(operation);
    if (state === State.CANCELLED) {
      this.#count(`CANCELLED by ${evidence}`);
      this.#check(stopTime !== undefined && evidence !== "", operation, "CANCELLED without evidence");
      const lateMs = lastMs - toMs(stopTime);
      this.#check(lateMs <= CLOCK_MS, operation, `it went on for ${lateMs} ms after ${evidence}`);
      if (evidence === "NEVER_STARTED" && operation.attempt === 0)
        this.#check(traces.length === 0, operation, "it began, and is said to have never started");
      return;
    }
    if (!isUnconfirmed) {
      this.#count(`cancel met ${stateName(state)}`);
      return;
    }
    this.#count("STOP_UNCONFIRMED");
    this.#check(stopConfirmedTime !== undefined, operation, "its stop is not confirmed though nothing runs");
    const lateMs = lastMs - toMs(stopConfirmedTime);
    this.#check(lateMs <= CLOCK_MS, operation, `it went on for ${lateMs} ms after its stop was confirmed`);
  }

  /** G3: nothing is CANCELLING past its deadline, but for as long as the server could not act. */
  #auditBound(operation: Operation): void {
    const { cancellation, endTime } = operation;
    const endMs = toMs(endTime);
    const deadlineMs = toMs(cancellation?.cancelDeadline);
    const away = this.#facts.troubles.filter(
      ({ who, toMs: backMs }) => who === "server" && backMs + TIMER_MS > deadlineMs,
    );
    const boundMs = Math.max(
      deadlineMs,
      ...away.filter(({ fromMs }) => fromMs <= endMs).map(({ toMs: backMs }) => backMs),
    );
    this.#check(
      endMs <= boundMs + TIMER_MS,
      operation,
      `it ended ${endMs - deadlineMs} ms after its deadline`,
    );
  }

  #wasAsked({ name, labels, cancellation }: Operation): boolean {
    const { tried } = this.#facts.log;
    return tried.has(name) || tried.has(labels["wave"] ?? "") || cancellation?.cause === "parent";
  }

  #auditCancel({ name, verdict, reason, ackMs, attempt }: ChaosLog["cancels"][number]): void {
    this.#count(`verdict ${verdict}`);
    const operation = this.#facts.operations.get(name);
    this.#check(operation !== undefined, { name }, "it was cancelled, and is lost");
    if (!operation) return;
    const { state } = operation;
    const ends: Partial<Record<typeof verdict, readonly State[]>> = {
      PREVENTED_START: [State.CANCELLED],
      ALREADY_CANCELLED: [State.CANCELLED],
      TOO_LATE_SUCCEEDED: [State.SUCCEEDED],
      TOO_LATE_FAILED: [State.FAILED],
    };
    const allowed = ends[verdict] ?? [State.CANCELLED, State.SUCCEEDED, State.FAILED];
    this.#check(
      allowed.includes(state),
      operation,
      `it ended ${stateName(state)} after the verdict ${verdict}`,
    );
    if (verdict.startsWith("TOO_LATE")) return;
    this.#check(
      operation.cancellation !== undefined,
      operation,
      `an acknowledged cancel is lost (${verdict})`,
    );
    const traces = tracesOf(this.#facts.traces, name);
    const begunLater = traces.filter((trace) => trace.attempt > attempt);
    this.#check(begunLater.length === 0, operation, `attempt ${attempt + 1} began after its cancel`);
    if (verdict === "PREVENTED_START") {
      const later = traces.filter(({ beginMs }) => beginMs > ackMs);
      this.#check(later.length === 0, operation, "it began after PREVENTED_START");
    }
    const receipt = this.#facts.receipts.get(name);
    if (verdict === "STOPPING" || verdict === "PREVENTED_START")
      this.#check(
        receipt?.reason === reason,
        operation,
        `its receipt says "${receipt?.reason}", not "${reason}"`,
      );
  }

  /** A filter met everything of its wave that had been acknowledged before, and had not ended. */
  #auditFilters(): void {
    for (const { name, wave, sentMs } of this.#facts.log.filterCancels) {
      this.#count("cancels by filter");
      const bulk = this.#facts.operations.get(name);
      this.#check(bulk?.state === State.SUCCEEDED, { name }, "a cancel by filter did not succeed");
      const bulkEndMs = toMs(bulk?.endTime);
      for (const [startedName, { labels, ackMs }] of this.#facts.log.started) {
        const operation = this.#facts.operations.get(startedName);
        if (!operation || labels?.["wave"] !== wave || ackMs > sentMs) continue;
        const isMet = operation.cancellation !== undefined || toMs(operation.endTime) <= bulkEndMs;
        this.#check(isMet, operation, `the cancel of wave ${wave} left it out`);
      }
    }
  }
}

function toMs(time: { seconds: bigint; nanos: number } | undefined): number {
  return time ? Number(time.seconds) * 1000 + time.nanos / 1e6 : 0;
}

function brief({ type, state, attempt, attempts, cancellation, result, worker }: Operation): string {
  const message = result.case === "error" ? result.value.message : "";
  const outcomes = attempts.map((each) => `${each.attempt} ${each.outcome} ${toMs(each.endTime)}`).join(", ");
  const { evidence, mechanism, requestTime, stopTime, cancelDeadline, cause } = cancellation ?? {};
  const stop = cancellation
    ? `cancel ${cause} at ${toMs(requestTime)}, stop ${toMs(stopTime)} by ${evidence} ${mechanism}, deadline ${toMs(cancelDeadline)}`
    : "";
  return `${type} ${stateName(state)} attempt ${attempt} [${outcomes}] ${worker} ${message}; ${stop}`;
}
