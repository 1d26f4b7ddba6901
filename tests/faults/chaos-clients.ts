// The callers of a chaos run: they start and cancel without pause, and keep what was acknowledged, here in the test's own
// process, which no fault reaches.
import { delay } from "../../src/base/timers.ts";
import { BelayError, connect, type StartRequest, type VerdictName } from "../../src/client/client.ts";
import type { ChaosRandom } from "./chaos-random.ts";

export interface AcknowledgedCancel {
  name: string;
  verdict: VerdictName;
  reason: string;
  ackMs: number;
  /** The attempt that the answer named. */
  attempt: number;
}

export interface FilterCancel {
  /** The operation that cancels. */
  name: string;
  wave: string;
  sentMs: number;
}

export class ChaosLog {
  /** What was started, by name. */
  readonly started = new Map<string, StartRequest & { ackMs: number }>();
  readonly cancels: AcknowledgedCancel[] = [];
  readonly filterCancels: FilterCancel[] = [];
  /** Operations that somebody at least tried to cancel, and waves of them. */
  readonly tried = new Set<string>();
  /** Calls that were not answered. */
  unanswered = 0;
  /** Answers that no call should ever get. */
  readonly wrong: string[] = [];
}

const CALLERS = 6;
const PAUSE_MAX_MS = 600;
/** Operations of one wave carry its label; a filter cancels a wave. */
const WAVE_MS = 3000;
/** Codes of a server that is away, or was killed in the middle. */
const passing = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL"]);

/** Calls until `isOver`. */
export async function runClients(
  address: string,
  random: ChaosRandom,
  log: ChaosLog,
  isOver: () => boolean,
): Promise<void> {
  await Promise.all(
    Array.from({ length: CALLERS }, () => new Caller(address, random.fork(), log, isOver).run()),
  );
}

class Caller {
  readonly #address: string;
  readonly #random: ChaosRandom;
  readonly #log: ChaosLog;
  readonly #isOver: () => boolean;
  #recent: string[] = [];

  constructor(address: string, random: ChaosRandom, log: ChaosLog, isOver: () => boolean) {
    this.#address = address;
    this.#random = random;
    this.#log = log;
    this.#isOver = isOver;
  }

  async run(): Promise<void> {
    using client = connect(this.#address, { callTimeoutMs: 2000 });
    const random = this.#random;
    for (let count = 0; !this.#isOver(); count++) {
      const what = random.whole(1, 100);
      if (what <= 60) await this.#start(client, count);
      else if (what <= 96) await this.#cancel(client, count);
      else await this.#cancelWave(client);
      await delay(random.whole(0, PAUSE_MAX_MS));
    }
  }

  async #start(client: Client, count: number): Promise<void> {
    const wave = String(Math.floor(Date.now() / WAVE_MS));
    const requestId = `${this.#random.whole(0, 2 ** 31)}-${count}`;
    const request: StartRequest = { ...randomStart(this.#random), requestId, labels: { wave } };
    const { type, ...fields } = request;
    const handle = await this.#answered(() => client.start(type, fields), "again");
    if (!handle) return;
    this.#log.started.set(handle.name, { ...request, ackMs: Date.now() });
    this.#recent = [...this.#recent.slice(-7), handle.name];
  }

  async #cancel(client: Client, count: number): Promise<void> {
    const random = this.#random;
    const reason = `cancel ${count}`;
    if (this.#recent.length === 0) return;
    const name = random.pick(this.#recent);
    const how = random.percent(30) ? { force: true } : random.percent(30) ? { graceMs: 50 } : {};
    this.#log.tried.add(name);
    const answer = await this.#answered(() => client.cancel(name, { reason, ...how }), "once");
    if (!answer) return;
    const { verdict, operation } = answer;
    this.#log.cancels.push({ name, verdict, reason, ackMs: Date.now(), attempt: operation.attempt });
  }

  async #cancelWave(client: Client): Promise<void> {
    const sentMs = Date.now();
    const wave = String(Math.floor(sentMs / WAVE_MS));
    this.#log.tried.add(wave);
    const requestId = `wave-${this.#random.whole(0, 2 ** 31)}`;
    const filter = `labels.wave = "${wave}" AND done = false`;
    const handle = await this.#answered(
      () => client.cancelOperations(filter, { reason: "wave", requestId }),
      "again",
    );
    if (handle) this.#log.filterCancels.push({ name: handle.name, wave, sentMs });
  }

  /** "again": the call has a request id, so that it can be repeated until it is answered. */
  async #answered<T>(call: () => Promise<T>, times: "once" | "again"): Promise<T | undefined> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        this.#log.unanswered++;
        const code = error instanceof BelayError ? error.code : "";
        if (!passing.has(code)) this.#log.wrong.push(String(error));
        if (times === "once" || this.#isOver() || !passing.has(code)) return undefined;
        await delay(50);
      }
    }
  }
}

type Client = ReturnType<typeof connect>;

/** Some work: short, of every kind, some of it deaf, some that fails, some with children. */
function randomStart(random: ChaosRandom): StartRequest {
  const type = random.pick(types);
  const ms = random.whole(20, 1500);
  const payload = {
    ...{ ms, deaf: random.percent(type === "trace.command" ? 50 : 20) },
    ...(random.percent(15) && { failures: 1 }),
    ...(type === "trace.parent" && {
      children: random.whole(1, 3),
      childMs: random.whole(50, 1200),
      kind: random.pick(["trace.inline", "trace.thread", "trace.command"]),
      policy: random.pick(["cancel", "cancel", "wait", "abandon"]),
    }),
  };
  return {
    ...{ type, payload },
    graceMs: random.whole(50, 500),
    maxAttempts: random.whole(1, 3),
    backoffMs: random.whole(0, 300),
    attemptTimeoutMs: random.percent(10) ? 700 : 6000,
  };
}

const types = [
  ...["trace.inline", "trace.inline", "trace.critical", "trace.cleanup", "trace.thread", "trace.busy-thread"],
  ...["trace.command", "trace.command", "trace.parent"],
];
