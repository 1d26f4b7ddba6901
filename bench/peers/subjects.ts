// Who is measured: each peer at its defaults and at its best reasonable settings, Belay in its shapes, the bare references.

export type Measure = "starts" | "burn-down" | "live" | "idle" | "cancel";

export interface Subject {
  /** As in the results. */
  name: string;
  /** The adapter's module, relative to this folder. */
  adapter: string;
  database: "postgres" | "redis" | "redis-always" | "sqlite";
  isTuned: boolean;
  shape: string;
  /** Worker processes; 0: the driver's process runs the handlers, too. */
  workers: number;
  /** A Belay server between the driver and the workers. */
  hasServer: boolean;
  /** Settings, in words. */
  settings: string;
  measures: readonly Measure[];
}

const all: readonly Measure[] = ["starts", "burn-down", "live", "idle", "cancel"];
const without = (...left: Measure[]): readonly Measure[] => all.filter((measure) => !left.includes(measure));

/** As many worker processes as the machine has cores. */
const WORKERS = 2;
const row = { isTuned: false, shape: "", workers: WORKERS, hasServer: false } as const;

/** Starting does not depend on the workers' settings: it is measured once for each peer, with the tuned pool. */
export const subjects: readonly Subject[] = [
  {
    ...row,
    name: "bare",
    adapter: "../references/bare-postgres.ts",
    database: "postgres",
    workers: 0,
    settings: "group commit on `pg`, one process, no API",
    measures: without("cancel"),
  },
  {
    ...row,
    name: "bare-processes",
    adapter: "../references/bare-postgres.ts",
    database: "postgres",
    shape: "processes",
    settings: "group commit on `pg`, a driver's process and two workers', one NOTIFY a batch",
    measures: without("starts", "cancel"),
  },
  {
    ...row,
    name: "belay",
    adapter: "./belay.ts",
    database: "postgres",
    workers: 0,
    settings: "engine and worker in one process",
    measures: all,
  },
  {
    ...row,
    name: "belay-nodes",
    adapter: "./belay.ts",
    database: "postgres",
    settings: "the driver's process is a node, each worker's process another one",
    measures: without("starts"),
  },
  {
    ...row,
    name: "belay-grpc",
    adapter: "./belay-grpc.ts",
    database: "postgres",
    hasServer: true,
    settings: "client, server and remote workers in processes of their own",
    measures: all,
  },
  {
    ...row,
    name: "graphile-worker",
    adapter: "./adapters/graphile-worker.ts",
    database: "postgres",
    settings: "defaults",
    measures: without("starts", "cancel"),
  },
  {
    ...row,
    name: "graphile-worker-tuned",
    adapter: "./adapters/graphile-worker.ts",
    database: "postgres",
    isTuned: true,
    settings: "localQueue 500 (refetchDelay 10 ms), completeJobBatchDelay 0, concurrentJobs 50, pool 20",
    measures: all,
  },
  {
    ...row,
    name: "pg-boss",
    adapter: "./adapters/pg-boss.ts",
    database: "postgres",
    settings: "defaults (one job each 2 s and worker)",
    measures: without("starts", "cancel"),
  },
  {
    ...row,
    name: "pg-boss-tuned",
    adapter: "./adapters/pg-boss.ts",
    database: "postgres",
    isTuned: true,
    settings: "batchSize 100, localConcurrency 4, burstWhenBatchFull, notify, pool 20",
    measures: all,
  },
  {
    ...row,
    name: "dbos",
    adapter: "./adapters/dbos.ts",
    database: "postgres",
    settings: "defaults (queue polled each second)",
    measures: without("starts", "cancel"),
  },
  {
    ...row,
    name: "dbos-tuned",
    adapter: "./adapters/dbos.ts",
    database: "postgres",
    isTuned: true,
    settings: "minPollingIntervalMs 20, workerConcurrency 100, pool 20",
    measures: all,
  },
  {
    ...row,
    name: "bullmq-postgres-tuned",
    adapter: "./adapters/bullmq.ts",
    database: "postgres",
    isTuned: true,
    shape: "postgres",
    settings: "PostgreSQL backend, concurrency 50, pool 20",
    measures: without("cancel"),
  },
  {
    ...row,
    name: "bullmq",
    adapter: "./adapters/bullmq.ts",
    database: "redis",
    settings: "Redis, appendfsync everysec, defaults",
    measures: without("starts", "cancel"),
  },
  {
    ...row,
    name: "bullmq-tuned",
    adapter: "./adapters/bullmq.ts",
    database: "redis",
    isTuned: true,
    settings: "Redis, appendfsync everysec (may lose the last second), concurrency 50",
    measures: all,
  },
  {
    ...row,
    name: "bullmq-durable",
    adapter: "./adapters/bullmq.ts",
    database: "redis-always",
    isTuned: true,
    settings: "Redis, appendfsync always, concurrency 50",
    measures: without("cancel"),
  },
  {
    ...row,
    name: "bare-sqlite",
    adapter: "../references/bare-sqlite.ts",
    database: "sqlite",
    workers: 0,
    settings: "batches on node:sqlite in a thread, synchronous=FULL, no API",
    measures: without("cancel", "idle"),
  },
  {
    ...row,
    name: "belay-sqlite",
    adapter: "./belay.ts",
    database: "sqlite",
    workers: 0,
    settings: "engine and worker in one process",
    measures: all,
  },
  {
    ...row,
    name: "belay-sqlite-grpc",
    adapter: "./belay-grpc.ts",
    database: "sqlite",
    hasServer: true,
    settings: "client, server and remote workers in processes of their own",
    measures: all,
  },
];
