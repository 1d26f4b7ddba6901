// What the engine measures: counted from its commits as they come, and read from the store when somebody asks. It decides
// nothing, and a commit never waits for it.
import { type Clock, type Instant, MICROS_PER_SECOND } from "../base/clock.ts";
import { type Measured, Measurements, type Point, point } from "../base/measurements.ts";
import { instruments } from "../base/telemetry.ts";
import type { CancelStep, Command, CommandOutcome } from "./commands.ts";
import type { OperationRecord, StoredOperation } from "./operation.ts";
import type { CommitFailure, Store } from "./store.ts";
import { isUnconfirmed } from "./transitions/settle.ts";

/** A commit as those see it who only look on. */
export interface Commit {
  readonly commands: readonly Command[];
  /** One for each command. */
  readonly outcomes: readonly (CommandOutcome | CommitFailure)[];
  /** Every operation that it changed, as it now stands. */
  readonly changed: readonly StoredOperation[];
  /** From the call of the store to the answer. */
  readonly durationMs: number;
  /** Which of several databases took it; 0 where there is one. See `Store.places`. */
  readonly place: number;
}

/** Told of every commit, in their order, before its callers are answered. It must not throw. */
export interface EngineObserver {
  committed(commit: Commit): void;
}

/** What is read when it is asked for. */
export interface LiveFigures {
  /** Held Wait calls. */
  waiters(): number;
  /** Open watches. */
  watchers(): number;
}

/** Every `belay exec` has a type of its own; they are counted as one. */
const LOCAL_EXEC = "exec.local-";

/** Types beyond this number are counted together, as `other`. */
const TYPES_MAX = 200;

type MeasuredStore = Pick<Store, "clock" | "liveCounts" | "listSessions" | "heldCount"> & {
  /** Other processes commit, too. Default false. */
  readonly isShared?: boolean;
};

export class EngineMetrics implements EngineObserver {
  readonly measurements: Measurements = new Measurements();
  readonly #clock: Clock;
  readonly #figures: LiveFigures;
  readonly #types = new Set<string>();
  /**
   * Everything up to here was counted. What a commit newly set (an end, a phase of a cancel) has a time after it, since
   * commits come in order and each has a time of its own; so nothing has to be remembered of any operation:
   *
   *   commit 1 ends an operation -> commit 2 deletes it: it comes again, done, and its end is not after commit 1.
   *
   * Of several databases each has its own, by its place: their commits come in no order, and by clocks of their own.
   */
  readonly #horizons: Instant[] = [];
  readonly #startTime: Instant;
  /** That of the commit that is looked at. */
  #horizon: Instant;
  readonly #isShared: boolean;
  /**
   * Of a shared store: the time of the change that is looked at. What another node set comes here with a later change, and
   * was counted there:
   *
   *   node B ends an operation -> node A, which was quiet, deletes it: its end is after A's horizon, and not of this change.
   */
  #changeTime: Instant | null = null;

  constructor(store: MeasuredStore, figures: LiveFigures) {
    this.#clock = store.clock;
    this.#isShared = store.isShared ?? false;
    this.#figures = figures;
    this.#startTime = store.clock.now();
    this.#horizon = this.#startTime;
    this.measurements.addSource(async () => this.#operations(await store.liveCounts()));
    this.measurements.addSource(async () => sessionFigures(await store.listSessions()));
    this.measurements.addSource(async () => [only(instruments.attemptsHeld, await store.heldCount())]);
    this.measurements.addSource(() => [
      only(instruments.waiters, this.#figures.waiters()),
      only(instruments.watchers, this.#figures.watchers()),
    ]);
  }

  committed({ commands, outcomes, changed, durationMs, place }: Commit): void {
    this.measurements.record(instruments.commitDuration, [], durationMs / 1000);
    this.measurements.record(instruments.commitBatch, [], commands.length);
    let index = 0;
    for (const command of commands) {
      const outcome = outcomes[index++];
      if (outcome !== undefined) this.#answered(command, outcome);
    }
    this.#horizon = this.#horizons[place] ?? this.#startTime;
    let horizon = this.#horizon;
    for (const { record } of changed) {
      this.#changed(record);
      horizon = Math.max(horizon, record.updateTime);
    }
    this.#horizons[place] = horizon;
  }

  #answered(command: Command, outcome: CommandOutcome | CommitFailure): void {
    switch (command.type) {
      case "heartbeat":
        if (outcome.type !== "refused") this.measurements.add(instruments.heartbeats, []);
        return;
      case "expireSessions":
      case "closeSession": {
        const count = outcome.type === "settled" ? outcome.count : 0;
        const why = command.type === "closeSession" ? "closed" : "expired";
        if (count > 0) this.measurements.add(instruments.leasesLost, [why], count);
        return;
      }
      default:
        if (outcome.type === "operation" && outcome.changed) this.#stepped(command, outcome.record);
        if (outcome.type !== "refused" || !("token" in command)) return;
        this.measurements.add(instruments.writesRefused, [command.type, outcome.reason]);
    }
  }

  /** Steps are told some time after they happened, so the horizon says nothing of them; but each is told by one report. */
  #stepped(command: Command, { service, cancel }: OperationRecord): void {
    if (cancel === null || !("token" in command)) return;
    const steps: readonly CancelStep[] = "steps" in command && command.steps ? command.steps : [];
    const told = command.type === "cancelPhase" ? [...steps, command] : steps;
    for (const { phase } of told) {
      const time = phase === "DELIVERED" ? cancel.deliverTime : cancel.acknowledgeTime;
      if ((phase !== "DELIVERED" && phase !== "ACKNOWLEDGED") || time === null) continue;
      this.#latency(instruments.cancelLatency, [service, phase.toLowerCase()], cancel.requestTime, time);
    }
  }

  /** Counts what this commit newly set. */
  #changed(record: OperationRecord): void {
    const { service, createTime, doneTime, attemptStartTime } = record;
    this.#changeTime = this.#isShared ? record.updateTime : null;
    const type = this.#boundedType(record.type);
    if (this.#isNew(createTime)) this.measurements.add(instruments.operationsStarted, [service, type]);
    if (this.#isNew(attemptStartTime)) {
      this.measurements.add(instruments.attemptsStarted, [service, type]);
      if (record.attempt === 1)
        this.#latency(instruments.startLatency, [service], dueTime(record), attemptStartTime);
    }
    if (record.cancel !== null) this.#cancelChanged(record, type);
    if (this.#isNew(doneTime)) {
      this.measurements.add(instruments.operationsEnded, [service, type, record.state]);
      this.#latency(instruments.operationDuration, [service, record.state], createTime, doneTime);
    }
  }

  #cancelChanged(record: OperationRecord, type: string): void {
    const { service, cancel, doneTime } = record;
    if (cancel === null) return;
    const phases = [
      ["stopped", cancel.stopTime],
      ["ended", doneTime],
    ] as const;
    if (this.#isNew(cancel.requestTime)) {
      this.measurements.add(instruments.cancelsRequested, [service, cancel.cause]);
    }
    for (const [phase, time] of phases) {
      if (this.#isNew(time))
        this.#latency(instruments.cancelLatency, [service, phase], cancel.requestTime, time);
    }
    if (this.#isNew(doneTime) && isUnconfirmed(record)) {
      this.measurements.add(instruments.stopsUnconfirmed, [service, type]);
    }
    if (this.#isNew(cancel.stopConfirmedTime)) {
      this.measurements.add(instruments.stopsConfirmedLate, [service, type, cancel.evidence ?? "none"]);
    }
  }

  #isNew(time: Instant | null): time is Instant {
    if (time === null || (this.#changeTime !== null && time !== this.#changeTime)) return false;
    return time > this.#horizon;
  }

  #latency(
    instrument: typeof instruments.cancelLatency,
    labels: readonly string[],
    from: Instant,
    to: Instant,
  ): void {
    this.measurements.record(instrument, labels, Math.max(0, to - from) / MICROS_PER_SECOND);
  }

  #operations(counts: Awaited<ReturnType<Store["liveCounts"]>>): Measured[] {
    const now = this.#clock.now();
    const live = new Sums(instruments.operationsLive);
    const ages = new Sums(instruments.queueAge);
    for (const { service, type, state, count, oldestStart } of counts) {
      const bounded = this.#boundedType(type);
      live.add([service, bounded, state], count);
      if (oldestStart === null || state !== "PENDING") continue;
      ages.atLeast([service, bounded], Math.max(0, now - oldestStart) / MICROS_PER_SECOND);
    }
    return [live.measured(), ages.measured()];
  }

  #boundedType(operationType: string): string {
    const type = operationType.startsWith(LOCAL_EXEC) ? "exec.local" : operationType;
    if (this.#types.has(type)) return type;
    if (this.#types.size >= TYPES_MAX) return "other";
    this.#types.add(type);
    return type;
  }
}

/** When the operation could have begun: after its start delay. */
function dueTime({ createTime, startAfter, attemptStartTime }: OperationRecord): Instant {
  return Math.min(Math.max(createTime, startAfter), attemptStartTime ?? createTime);
}

function sessionFigures(sessions: Awaited<ReturnType<Store["listSessions"]>>): Measured[] {
  const count = new Sums(instruments.sessions);
  const slots = new Sums(instruments.slots);
  for (const { kind, slots: all, running, reserved } of sessions) {
    const used = running + reserved;
    count.add([kind], 1);
    slots.add([kind, "used"], used);
    slots.add([kind, "free"], Math.max(0, all - used));
  }
  return [count.measured(), slots.measured()];
}

function only(instrument: typeof instruments.waiters, value: number): Measured {
  return { instrument, points: [point(instrument, [], value)] };
}

/** The points of a gauge while they are added up. */
class Sums {
  readonly #instrument: Measured["instrument"];
  readonly #points = new Map<string, Point>();

  constructor(instrument: Measured["instrument"]) {
    this.#instrument = instrument;
  }

  add(labels: readonly string[], amount: number): void {
    this.#at(labels).value += amount;
  }

  atLeast(labels: readonly string[], value: number): void {
    const found = this.#at(labels);
    found.value = Math.max(found.value, value);
  }

  measured(): Measured {
    return { instrument: this.#instrument, points: [...this.#points.values()] };
  }

  #at(labels: readonly string[]): Point {
    const key = labels.join("\n");
    let found = this.#points.get(key);
    if (found === undefined) {
      found = point(this.#instrument, labels);
      this.#points.set(key, found);
    }
    return found;
  }
}
