// The bare reference: what group commit on `pg` gives with no API on top of it. One narrow table, and three statements (start,
// claim, complete), each for a whole batch, each its own durable transaction. No policies, retries, leases, events, receipts.
// In the shape `processes`, one process starts and others claim: one NOTIFY after each batch of starts wakes them.
import pg from "pg";
import type { OperationKind, Peer, PeerAdapter, PeerContext, PeerHandlers } from "../peers/adapter.ts";
import { GroupCommit } from "./group-commit.ts";

/** Operations that run at a time: twice a batch, so that one batch is claimed while another is completed. */
const SLOTS = 1000;
const BATCH = 500;

const schema = `
  CREATE TABLE lives (
    id bigint PRIMARY KEY,
    state smallint NOT NULL,
    request text NOT NULL,
    result text,
    start_time timestamptz NOT NULL DEFAULT now(),
    end_time timestamptz
  );
  CREATE INDEX lives_pending ON lives (id) WHERE state = 0;
`;

const request = JSON.stringify({ page: 1 });
const result = JSON.stringify({ pages: 3, text: "belay" });

/** A worker looks by itself, too, should a notification be lost. */
const POLL_MS = 250;
const CHANNEL = "lives";

class BarePostgres implements Peer {
  readonly live?: () => Promise<void>;
  readonly #url: string;
  readonly #isShared: boolean;
  readonly #pool: pg.Pool;
  readonly #starts: GroupCommit<string, undefined>;
  readonly #ends: GroupCommit<string, undefined>;
  readonly #ended = new Map<string, () => void>();
  #handlers: PeerHandlers | undefined;
  #listener: pg.Client | undefined;
  #poll: NodeJS.Timeout | undefined;
  #next = 1;
  #running = 0;
  #mayBePending = false;
  #isClaiming = false;

  constructor({ url, shape }: PeerContext) {
    this.#url = url;
    this.#isShared = shape === "processes";
    if (!this.#isShared) this.live = () => this.#live();
    this.#pool = new pg.Pool({ connectionString: url, max: 8 });
    this.#starts = new GroupCommit((ids) => this.#insert(ids));
    this.#ends = new GroupCommit((ids) => this.#complete(ids));
  }

  async start(_kind: OperationKind): Promise<string> {
    const id = String(this.#next++);
    await this.#starts.add(id);
    return id;
  }

  async fill(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.start("noop")));
  }

  async remaining(): Promise<number> {
    const { rows } = await this.#pool.query("SELECT count(*)::int AS left FROM lives WHERE state < 2");
    return rows[0].left;
  }

  cancel(): Promise<string> {
    return Promise.reject(new Error("the bare reference has no cancel"));
  }

  state(): Promise<string> {
    return Promise.reject(new Error("the bare reference has no reads"));
  }

  async work(handlers: PeerHandlers): Promise<void> {
    this.#handlers = handlers;
    if (this.#isShared) {
      this.#listener = new pg.Client({ connectionString: this.#url });
      this.#listener.on("notification", () => this.#wake());
      await this.#listener.connect();
      await this.#listener.query(`LISTEN ${CHANNEL}`);
      this.#poll = setInterval(() => this.#wake(), POLL_MS);
    }
    this.#wake();
  }

  async close(): Promise<void> {
    clearInterval(this.#poll);
    await this.#listener?.end();
    await this.#pool.end();
  }

  async #live(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const id = String(this.#next++);
    this.#ended.set(id, resolve);
    await this.#starts.add(id);
    await promise;
  }

  #wake(): void {
    this.#mayBePending = true;
    void this.#claim();
  }

  async #insert(ids: readonly string[]): Promise<undefined[]> {
    await this.#pool.query({
      name: "start",
      text: "INSERT INTO lives (id, state, request) SELECT id, 0, $2 FROM unnest($1::bigint[]) AS id",
      values: [ids, request],
    });
    if (this.#isShared) void this.#pool.query(`NOTIFY ${CHANNEL}`);
    else this.#wake();
    return ids.map(() => undefined);
  }

  async #claim(): Promise<void> {
    const handlers = this.#handlers;
    if (!handlers || this.#isClaiming) return;
    this.#isClaiming = true;
    while (this.#mayBePending && this.#running < SLOTS) {
      // Before the look: what is started while it is made wakes this loop once more.
      this.#mayBePending = false;
      const room = Math.min(BATCH, SLOTS - this.#running);
      const { rows } = await this.#pool.query({
        name: "claim",
        text: `UPDATE lives SET state = 1 WHERE id = ANY (ARRAY(
          SELECT id FROM lives WHERE state = 0 ORDER BY id FOR UPDATE SKIP LOCKED LIMIT $1)) RETURNING id`,
        values: [room],
        rowMode: "array",
      });
      if (rows.length === room) this.#mayBePending = true;
      this.#running += rows.length;
      for (const [id] of rows) void this.#run(String(id), handlers);
    }
    this.#isClaiming = false;
  }

  async #run(id: string, handlers: PeerHandlers): Promise<void> {
    handlers.noop(id);
    await this.#ends.add(id);
  }

  async #complete(ids: readonly string[]): Promise<undefined[]> {
    await this.#pool.query({
      name: "complete",
      text: "UPDATE lives SET state = 2, result = $2, end_time = now() WHERE id = ANY ($1::bigint[]) AND state = 1",
      values: [ids, result],
    });
    this.#running -= ids.length;
    for (const id of ids) {
      this.#ended.get(id)?.();
      this.#ended.delete(id);
    }
    void this.#claim();
    return ids.map(() => undefined);
  }
}

export const adapter: PeerAdapter = {
  async prepare({ url }: PeerContext): Promise<void> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(schema);
    await client.end();
  },
  open: (context: PeerContext): Promise<Peer> => Promise.resolve(new BarePostgres(context)),
};
