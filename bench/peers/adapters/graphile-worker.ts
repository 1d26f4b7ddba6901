// graphile-worker: rows of finished jobs are deleted, so its store says nothing of them.
import { Logger, makeWorkerUtils, type Runner, run, type WorkerUtils } from "graphile-worker";
import pg from "pg";
import type { OperationKind, Peer, PeerAdapter, PeerContext, PeerHandlers } from "../adapter.ts";

const logger = new Logger(() => () => {});
const FILL = 1000;

class GraphilePeer implements Peer {
  readonly #context: PeerContext;
  readonly #pool: pg.Pool;
  #utils: Promise<WorkerUtils> | undefined;
  #runner: Runner | undefined;

  constructor(context: PeerContext) {
    this.#context = context;
    this.#pool = new pg.Pool({ connectionString: context.url, max: 1 });
  }

  async start(kind: OperationKind): Promise<string> {
    return (await (await this.#driver()).addJob(kind, { page: 1 })).id;
  }

  async fill(count: number): Promise<void> {
    const utils = await this.#driver();
    for (let done = 0; done < count; done += FILL) {
      const specs = Array.from({ length: Math.min(FILL, count - done) }, () => ({
        identifier: "noop",
        payload: { page: 1 },
      }));
      await utils.addJobs(specs);
    }
  }

  async remaining(): Promise<number> {
    const { rows } = await this.#pool.query(
      "SELECT count(*)::int AS left FROM graphile_worker._private_jobs",
    );
    return rows[0].left;
  }

  async cancel(id: string): Promise<string> {
    const failed = await (await this.#driver()).permanentlyFailJobs([id], "cancelled");
    return failed.length === 0 ? "permanentlyFailJobs leaves a running job alone" : "failed";
  }

  async state(id: string): Promise<string> {
    const { rows } = await this.#pool.query(
      "SELECT locked_at IS NOT NULL AS locked, last_error FROM graphile_worker._private_jobs WHERE id = $1",
      [id],
    );
    if (rows.length === 0) return "row deleted (done)";
    return rows[0].locked ? "running" : "waiting for a retry";
  }

  async work(handlers: PeerHandlers): Promise<void> {
    const taskList = {
      noop: (_payload: unknown, helpers: { job: { id: string } }) => handlers.noop(helpers.job.id),
      hold: (_payload: unknown, helpers: { job: { id: string }; abortSignal?: AbortSignal }) =>
        handlers.hold(helpers.job.id, helpers.abortSignal),
    };
    this.#runner = this.#context.isTuned
      ? await run({
          preset: {
            worker: {
              connectionString: this.#context.url,
              concurrentJobs: 50,
              maxPoolSize: 20,
              localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
              completeJobBatchDelay: 0,
              logger,
            },
          },
          noHandleSignals: true,
          taskList,
        })
      : await run({ connectionString: this.#context.url, noHandleSignals: true, logger, taskList });
  }

  async close(): Promise<void> {
    await this.#runner?.stop();
    await (await this.#utils)?.release();
    await this.#pool.end();
  }

  #driver(): Promise<WorkerUtils> {
    const { url: connectionString, isTuned } = this.#context;
    this.#utils ??= makeWorkerUtils({ connectionString, maxPoolSize: isTuned ? 20 : 10, logger });
    return this.#utils;
  }
}

export const adapter: PeerAdapter = {
  async prepare({ url }: PeerContext): Promise<void> {
    const utils = await makeWorkerUtils({ connectionString: url, logger });
    await utils.migrate();
    await utils.release();
  },
  open: (context: PeerContext): Promise<Peer> => Promise.resolve(new GraphilePeer(context)),
};
