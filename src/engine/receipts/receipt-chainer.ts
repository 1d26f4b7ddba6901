// Appends the events of receipts to their chains, one chain a (service, tenant), and signs the heads from time to time. It
// follows the commits at a small distance: an event is durable on its receipt at once, and sealed here soon after.
import { type Instant, MICROS_PER_MS, monotonicMs } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { randomFraction } from "../../base/random.ts";
import { delay, startTimer, type Timer } from "../../base/timers.ts";
import { keyText } from "../decision.ts";
import type { StoredReceipt } from "../operation.ts";
import type { ChainCheckpoint, ChainEntry, Store, UnchainedEvent } from "../store.ts";
import { signHead } from "./chain-export.ts";
import { entryHash, GENESIS_HASH } from "./chain-hash.ts";
import { receiptContent } from "./receipt-content.ts";
import type { ReceiptKeys } from "./receipt-keys.ts";

/** Events in one transaction: 5 ms of the writer (50 us each, measured), for which commits wait. */
const BATCH = 100;

/** After a wake-up it waits this long, so that the events of many commits share a transaction. */
const GATHER_MS = 100;

/** Between full batches, for the commits of others: short when there are none, long while a storm of cancels goes on. */
const BREATH_MS = 20;
const BUSY_BREATH_MS = 500;

/** Heals a lost wake-up and a failed append; finds what another process left. */
const BACKSTOP_MS = 60_000;

/** A chain with news is signed this often at most. */
const CHECKPOINT_PERIOD_MS = 60_000;

/** A sequence that another process took is tried again from the new head, this often in a row. */
const RACES_MAX = 5;

/** Then the other one is at work on the same events: it is left alone for a while. */
const YIELD_MS = 1000;

/** Of several processes each gathers a little longer than another, by chance, so that one finds the work done. */
const SHARED_GATHER_MS = 200;

/** A stop does not wait longer for what is still to be chained; the next start goes on. */
const STOP_MS = 2000;

/** What is remembered of a chain while there is news of it. */
interface Chain {
  head: ChainEntry;
  /** When it was signed last, or came to be known; the next checkpoint is a period later. */
  signTime: Instant;
  isSigned: boolean;
}

type ChainStore = Pick<Store, "clock" | "unchainedEvents" | "chainHead" | "appendChain" | "getReceipt"> & {
  /** Other processes chain, too. Default false. */
  readonly isShared?: boolean;
};

type AppendedEntry = ChainEntry & { position: number };

export class ReceiptChainer {
  readonly #store: ChainStore;
  readonly #keys: ReceiptKeys;
  readonly #logger: Logger;
  readonly #chains = new Map<string, Chain>();
  #timer: Timer | null = null;
  #wakeAtMs = 0;
  #running = false;
  #work: Promise<void> = Promise.resolve();
  #isWorking = false;
  #wasWoken = false;
  /** Another process was faster, time and again. */
  #hasYielded = false;

  constructor(options: { store: ChainStore; keys: ReceiptKeys; logger: Logger }) {
    this.#store = options.store;
    this.#keys = options.keys;
    this.#logger = options.logger;
  }

  start(): void {
    this.#running = true;
    this.#schedule(this.#gatherMs());
  }

  /** A commit had receipt events. Cheap: call it as often as it is so. */
  wake(): void {
    this.#wasWoken = true;
    if (!this.#isWorking) this.#schedule(this.#gatherMs());
  }

  /** Chains what there is, signs every head that has news, and resolves. Bounded in time. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#timer?.cancel();
    await this.#work;
    const endMs = monotonicMs() + STOP_MS;
    try {
      while ((await this.chain()) === BATCH && monotonicMs() < endMs);
      const checkpoints = this.#sign(() => true);
      if (checkpoints.length > 0) await this.#store.appendChain([], checkpoints);
    } catch (error) {
      // Another process that signed the same head is no news: its signature is as good.
      const level = this.#store.isShared === true ? "debug" : "warn";
      this.#logger[level]({ err: error }, "the receipts of the last moments are chained at the next start");
    }
  }

  /** Chains up to a batch of events; answers how many. For the maintenance itself, and for tests. */
  async chain(): Promise<number> {
    for (let race = 0; ; race++) {
      const events = await this.#store.unchainedEvents(BATCH);
      const receipts = await this.#receiptsOf(events);
      const heads = await this.#headsOf(events);
      const before = new Map([...heads].map(([text, { head }]) => [text, head.sequence]));
      const entries = this.#link(events, receipts, heads);
      const checkpoints = this.#dueCheckpoints(heads);
      if (entries.length === 0 && checkpoints.length === 0) return 0;
      try {
        await this.#store.appendChain(entries, checkpoints);
      } catch (error) {
        // Two processes chain one store: the other one was first. Its head is the one to go on from.
        this.#chains.clear();
        const isRace = await this.#hasMoved(events, before);
        if (race >= RACES_MAX) {
          if (!isRace) throw error;
          this.#hasYielded = true;
          return 0;
        }
        if (isRace) await delay(BREATH_MS * randomFraction());
        continue;
      }
      this.#appended(heads, checkpoints);
      return entries.length;
    }
  }

  /** True if another process has appended to one of the chains, or chained what this one was about to. */
  async #hasMoved(events: readonly UnchainedEvent[], before: ReadonlyMap<string, number>): Promise<boolean> {
    if (this.#store.isShared !== true) return false;
    const scopes = new Map(events.map((event) => [chainText(event.service, event.tenant), event]));
    for (const [text, { service, tenant }] of scopes) {
      const head = await this.#store.chainHead(service, tenant);
      if ((head?.sequence ?? 0) !== before.get(text)) return true;
    }
    return false;
  }

  #gatherMs(): number {
    return GATHER_MS + (this.#store.isShared === true ? randomFraction() * SHARED_GATHER_MS : 0);
  }

  #schedule(delayMs: number): void {
    if (!this.#running) return;
    const wakeAtMs = monotonicMs() + delayMs;
    if (this.#timer !== null && this.#wakeAtMs <= wakeAtMs) return;
    this.#timer?.cancel();
    this.#wakeAtMs = wakeAtMs;
    this.#timer = startTimer(
      delayMs,
      () => {
        this.#timer = null;
        this.#work = this.#run();
      },
      { unref: true },
    );
  }

  async #run(): Promise<void> {
    this.#isWorking = true;
    this.#wasWoken = false;
    this.#hasYielded = false;
    let delayMs = BACKSTOP_MS;
    try {
      const count = await this.chain();
      if (this.#hasYielded) delayMs = YIELD_MS * (1 + randomFraction());
      else if (count === BATCH) delayMs = this.#wasWoken ? BUSY_BREATH_MS : BREATH_MS;
      else delayMs = Math.min(BACKSTOP_MS, this.#nextCheckpointMs());
    } catch (error) {
      this.#logger.warn({ err: error }, "receipts could not be chained; it is tried again");
    } finally {
      this.#isWorking = false;
      // Woken meanwhile: an event may have come after the batch was read.
      this.#schedule(this.#wasWoken && delayMs > BUSY_BREATH_MS ? this.#gatherMs() : delayMs);
    }
  }

  /** Each operation's receipt once, read side by side. */
  async #receiptsOf(events: readonly UnchainedEvent[]): Promise<ReadonlyMap<string, StoredReceipt>> {
    const keys = new Map(events.map((event) => [keyText(event), event]));
    const found = await Promise.all([...keys.values()].map((key) => this.#store.getReceipt(key)));
    return new Map(found.flatMap((receipt) => (receipt ? [[keyText(receipt), receipt]] : [])));
  }

  /** The chains that the events belong to, and those that still wait for a checkpoint; their heads are copies to go on from. */
  async #headsOf(events: readonly UnchainedEvent[]): Promise<Map<string, Chain>> {
    const heads = new Map<string, Chain>();
    const isShared = this.#store.isShared === true;
    for (const [text, chain] of this.#chains) {
      // Of a shared store the head may have moved: it is read with its events, or when it is to be signed.
      const head = isShared ? await this.#store.chainHead(chain.head.service, chain.head.tenant) : undefined;
      heads.set(text, { ...chain, head: head ?? chain.head });
    }
    for (const { service, tenant } of events) {
      const text = chainText(service, tenant);
      if (heads.has(text)) continue;
      const head = await this.#store.chainHead(service, tenant);
      const none = { service, tenant, sequence: 0, name: "", content: "", hash: GENESIS_HASH };
      // Nobody knows when it was signed last: a period ago, so that the first news is signed at once.
      heads.set(text, { head: head ?? none, signTime: 0, isSigned: true });
    }
    return heads;
  }

  #link(
    events: readonly UnchainedEvent[],
    receipts: ReadonlyMap<string, StoredReceipt>,
    heads: ReadonlyMap<string, Chain>,
  ): AppendedEntry[] {
    const entries: AppendedEntry[] = [];
    for (const event of events) {
      const { service, tenant, name, position } = event;
      const chain = heads.get(chainText(service, tenant));
      if (chain === undefined) throw new TypeError("each event has a chain");
      const sequence = chain.head.sequence + 1;
      const content = receiptContent({
        sequence,
        entry: event,
        receipt: receipts.get(keyText(event)),
        hashPrincipal: (principal) => this.#keys.principalHash(principal),
      });
      const hash = entryHash(chain.head.hash, content);
      const entry: AppendedEntry = { service, tenant, sequence, name, content, hash, position };
      entries.push(entry);
      chain.head = entry;
      chain.isSigned = false;
    }
    return entries;
  }

  #dueCheckpoints(heads: Map<string, Chain>): ChainCheckpoint[] {
    const before = this.#store.clock.now() - CHECKPOINT_PERIOD_MS * MICROS_PER_MS;
    return this.#sign(({ signTime }) => signTime <= before, heads);
  }

  /** Signs the heads that have news and that are chosen. */
  #sign(isChosen: (chain: Chain) => boolean, chains: Map<string, Chain> = this.#chains): ChainCheckpoint[] {
    const now = this.#store.clock.now();
    const checkpoints: ChainCheckpoint[] = [];
    for (const chain of chains.values()) {
      if (chain.isSigned || !isChosen(chain)) continue;
      checkpoints.push(signHead(chain.head, now, this.#keys));
      chain.isSigned = true;
      chain.signTime = now;
    }
    return checkpoints;
  }

  /** Durable: the copies become what is known. A chain that is signed and quiet for a period is forgotten. */
  #appended(heads: ReadonlyMap<string, Chain>, checkpoints: readonly ChainCheckpoint[]): void {
    const before = this.#store.clock.now() - CHECKPOINT_PERIOD_MS * MICROS_PER_MS;
    const signed = new Set(checkpoints.map(({ service, tenant }) => chainText(service, tenant)));
    for (const [text, chain] of heads) {
      if (chain.isSigned && chain.signTime < before && !signed.has(text)) this.#chains.delete(text);
      else this.#chains.set(text, chain);
    }
  }

  /** When the next head with news may be signed, in milliseconds from now. */
  #nextCheckpointMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { signTime, isSigned } of this.#chains.values()) {
      if (!isSigned) next = Math.min(next, signTime);
    }
    const now = this.#store.clock.now();
    return Math.max(BREATH_MS, (next - now) / MICROS_PER_MS + CHECKPOINT_PERIOD_MS);
  }
}

function chainText(service: string, tenant: string): string {
  return `${service}\n${tenant}`;
}
