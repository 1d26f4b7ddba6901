// The bare batched store on SQLite: `node:sqlite`, synchronous=FULL, one transaction for all that arrived while the last one
// was being committed, in a thread of its own so that no fsync blocks the caller. One narrow table, no API on top.
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import type { Peer, PeerAdapter, PeerContext, PeerHandlers } from "../peers/adapter.ts";
import type { BareAnswer, BareBatch } from "./bare-sqlite-thread.ts";

/** Operations that run at a time. */
const SLOTS = 1000;

class BareSqlite implements Peer {
  readonly #thread: Worker;
  readonly #path: string;
  readonly #started = new Map<number, () => void>();
  readonly #ended = new Map<number, () => void>();
  #starts: number[] = [];
  #ends: number[] = [];
  #handlers: PeerHandlers | undefined;
  #next = 1;
  #pending = 0;
  #running = 0;
  #isCommitting = false;
  #isScheduled = false;

  constructor(path: string) {
    this.#path = path;
    this.#thread = new Worker(new URL("bare-sqlite-thread.ts", import.meta.url), { workerData: path });
  }

  start(): Promise<string> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#started.set(id, () => resolve(String(id)));
      this.#starts.push(id);
      this.#schedule();
    });
  }

  live(): Promise<void> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#ended.set(id, resolve);
      this.#starts.push(id);
      this.#schedule();
    });
  }

  async fill(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.start()));
  }

  async remaining(): Promise<number> {
    const database = new DatabaseSync(this.#path, { readOnly: true });
    const row = database.prepare("SELECT count(*) AS remaining FROM lives WHERE state < 2").get();
    database.close();
    return Number(row?.["remaining"]);
  }

  cancel(): Promise<string> {
    return Promise.reject(new Error("the bare store has no cancel"));
  }

  state(): Promise<string> {
    return Promise.reject(new Error("the bare store has no reads"));
  }

  async work(handlers: PeerHandlers): Promise<void> {
    this.#handlers = handlers;
    this.#pending = await this.remaining();
    this.#schedule();
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isCommitting) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      void this.#commit();
    });
  }

  async #commit(): Promise<void> {
    const starts = this.#starts.splice(0);
    const ends = this.#ends.splice(0);
    // What this batch starts can be claimed in it.
    const room = SLOTS - this.#running;
    const claims = this.#handlers ? Math.min(room, this.#pending + starts.length) : 0;
    if (starts.length + ends.length + claims === 0 || this.#isCommitting) return;
    this.#isCommitting = true;
    const answer = new Promise<BareAnswer>((resolve) => this.#thread.once("message", resolve));
    this.#thread.postMessage({ starts, ends, claims } satisfies BareBatch);
    const { claimed } = await answer;
    this.#isCommitting = false;
    this.#pending += starts.length - claimed.length;
    this.#running += claimed.length - ends.length;
    for (const id of starts) take(this.#started, id);
    for (const id of ends) take(this.#ended, id);
    for (const id of claimed) {
      this.#handlers?.noop(String(id));
      this.#ends.push(id);
    }
    this.#schedule();
  }
}

function take(callbacks: Map<number, () => void>, id: number): void {
  callbacks.get(id)?.();
  callbacks.delete(id);
}

export const adapter: PeerAdapter = {
  async prepare({ url }: PeerContext): Promise<void> {
    const database = new DatabaseSync(url);
    database.exec(`PRAGMA journal_mode = WAL;
      CREATE TABLE lives (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, request TEXT NOT NULL, result TEXT,
        start_time INTEGER NOT NULL, end_time INTEGER);
      CREATE INDEX lives_pending ON lives (id) WHERE state = 0;`);
    database.close();
  },
  open: ({ url }: PeerContext): Promise<Peer> => Promise.resolve(new BareSqlite(url)),
};
