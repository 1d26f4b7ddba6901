// pg-boss: finished jobs are kept for a week by default.

import pg from "pg";
import { PgBoss } from "pg-boss";
import type { OperationKind, Peer, PeerAdapter, PeerContext, PeerHandlers } from "../adapter.ts";

const FILL = 1000;
const kinds = ["noop", "hold"] as const;

function bossOf({ url, isTuned }: PeerContext): PgBoss {
  const boss = new PgBoss({ connectionString: url, ...(isTuned && { max: 20, useListenNotify: true }) });
  boss.on("error", (error: unknown) => console.error("pg-boss:", error));
  return boss;
}

class BossPeer implements Peer {
  readonly #context: PeerContext;
  readonly #boss: PgBoss;
  readonly #pool: pg.Pool;

  constructor(context: PeerContext, boss: PgBoss) {
    this.#context = context;
    this.#boss = boss;
    this.#pool = new pg.Pool({ connectionString: context.url, max: 2 });
  }

  async start(kind: OperationKind): Promise<string> {
    const id = await this.#boss.send(kind, { page: 1 });
    if (id === null) throw new Error("pg-boss made no job");
    return id;
  }

  async fill(count: number): Promise<void> {
    for (let done = 0; done < count; done += FILL) {
      const jobs = Array.from({ length: Math.min(FILL, count - done) }, () => ({ data: { page: 1 } }));
      await this.#boss.insert("noop", jobs);
    }
  }

  async remaining(): Promise<number> {
    const text = "SELECT count(*)::int AS left FROM pgboss.job WHERE name = 'noop' AND state < 'completed'";
    const { rows } = await this.#pool.query(text);
    return rows[0].left;
  }

  async cancel(id: string): Promise<string> {
    const { affected } = (await this.#boss.cancel("hold", id)) as { affected?: number };
    return `cancel() answers, ${affected} row`;
  }

  async state(id: string): Promise<string> {
    const { rows } = await this.#pool.query("SELECT state FROM pgboss.job WHERE name = 'hold' AND id = $1", [
      id,
    ]);
    return String(rows[0]?.state);
  }

  async work(handlers: PeerHandlers): Promise<void> {
    const { isTuned } = this.#context;
    const noops = async (jobs: { id: string }[]): Promise<void> => {
      for (const { id } of jobs) handlers.noop(id);
    };
    const holds = async ([job]: { id: string; signal: AbortSignal }[]): Promise<void> => {
      if (job) await handlers.hold(job.id, job.signal);
    };
    if (isTuned) {
      const options = { batchSize: 100, localConcurrency: 4, burstWhenBatchFull: true } as const;
      await this.#boss.work("noop", { ...options, pollingIntervalSeconds: 0.5 }, noops);
    } else await this.#boss.work("noop", noops);
    await this.#boss.work("hold", { pollingIntervalSeconds: 0.5 }, holds);
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false });
    await this.#pool.end();
  }
}

export const adapter: PeerAdapter = {
  async prepare(context: PeerContext): Promise<void> {
    const boss = bossOf(context);
    await boss.start();
    for (const name of kinds) await boss.createQueue(name, context.isTuned ? { notify: true } : {});
    await boss.stop({ graceful: false });
  },
  async open(context: PeerContext): Promise<Peer> {
    const boss = bossOf(context);
    await boss.start();
    return new BossPeer(context, boss);
  },
};
