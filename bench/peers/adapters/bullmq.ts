// BullMQ, on Redis and on PostgreSQL. Finished jobs are kept by default.
import { createPostgresBackend, Queue, Worker } from "bullmq";
import type { OperationKind, Peer, PeerAdapter, PeerContext, PeerHandlers } from "../adapter.ts";

const FILL = 1000;
const kinds = ["noop", "hold"] as const;
const unfinished = ["waiting", "active", "delayed", "prioritized", "waiting-children"] as const;

// The two backends have the same API; what differs is a constructor's last argument, which the types tell apart.
type Maker<Made> = new (name: string, ...rest: unknown[]) => Made;
const makeQueue = Queue as unknown as Maker<Queue>;
const makeWorker = Worker as unknown as Maker<Worker>;

function connectionOf(
  { shape, url }: PeerContext,
  migrate = false,
): { connection: unknown; backend: unknown[] } {
  if (shape === "postgres") {
    return { connection: { connectionString: url, max: 20, migrate }, backend: [createPostgresBackend] };
  }
  const { hostname, port } = new URL(url);
  return { connection: { host: hostname, port: Number(port), maxRetriesPerRequest: null }, backend: [] };
}

class BullPeer implements Peer {
  readonly #context: PeerContext;
  readonly #queues: Record<OperationKind, Queue>;
  readonly #workers: Worker[] = [];

  constructor(context: PeerContext, migrate = false) {
    this.#context = context;
    const { connection, backend } = connectionOf(context, migrate);
    this.#queues = {
      noop: new makeQueue("noop", { connection }, ...backend),
      hold: new makeQueue("hold", { connection }, ...backend),
    };
  }

  async start(kind: OperationKind): Promise<string> {
    return String((await this.#queues[kind].add(kind, { page: 1 })).id);
  }

  async fill(count: number): Promise<void> {
    for (let done = 0; done < count; done += FILL) {
      const jobs = Array.from({ length: Math.min(FILL, count - done) }, () => ({
        name: "noop",
        data: { page: 1 },
      }));
      await this.#queues.noop.addBulk(jobs);
    }
  }

  async remaining(): Promise<number> {
    const counts = await this.#queues.noop.getJobCounts(...unfinished);
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  async cancel(id: string): Promise<string> {
    // cancelJob() is a method of the worker that runs it; a queue can only remove.
    const removed = await this.#queues.hold.remove(id);
    return removed === 0 ? "remove() refuses a running job" : "removed";
  }

  async state(id: string): Promise<string> {
    return String(await this.#queues.hold.getJobState(id));
  }

  async work(handlers: PeerHandlers): Promise<void> {
    const { connection, backend } = connectionOf(this.#context);
    const options = this.#context.isTuned ? { connection, concurrency: 50 } : { connection };
    const noop = async (job: { id?: string }): Promise<void> => handlers.noop(String(job.id));
    const hold = (job: { id?: string }, _token: string, signal: AbortSignal): Promise<void> =>
      handlers.hold(String(job.id), signal);
    this.#workers.push(new makeWorker("noop", noop, options, ...backend));
    this.#workers.push(new makeWorker("hold", hold, options, ...backend));
    for (const worker of this.#workers)
      worker.on("error", (error) => console.error("bullmq:", error.message));
    await Promise.all(this.#workers.map((worker) => worker.waitUntilReady()));
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) await worker.close(true);
    for (const kind of kinds) await this.#queues[kind].close();
  }
}

export const adapter: PeerAdapter = {
  async prepare(context: PeerContext): Promise<void> {
    const peer = new BullPeer(context, true);
    await peer.remaining(); // connects, and on PostgreSQL makes the schema
    await peer.close();
  },
  open: (context: PeerContext): Promise<Peer> => Promise.resolve(new BullPeer(context)),
};
