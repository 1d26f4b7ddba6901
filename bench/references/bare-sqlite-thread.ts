// The thread of the bare SQLite store: takes batches, commits each with one fsync, answers.
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

/** What one batch does: ids to start and to complete, and how many to claim. */
export interface BareBatch {
  starts: readonly number[];
  ends: readonly number[];
  claims: number;
}

export interface BareAnswer {
  claimed: readonly number[];
}

const request = JSON.stringify({ page: 1 });
const result = JSON.stringify({ pages: 3, text: "belay" });

const database = new DatabaseSync(workerData as string);
database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
const start = database.prepare("INSERT INTO lives (id, state, request, start_time) VALUES (?, 0, ?, ?)");
const end = database.prepare(
  "UPDATE lives SET state = 2, result = ?, end_time = ? WHERE id = ? AND state = 1",
);
const pending = database.prepare("SELECT id FROM lives WHERE state = 0 ORDER BY id LIMIT ?");
const claim = database.prepare("UPDATE lives SET state = 1 WHERE id = ? AND state = 0");

function commit({ starts, ends, claims }: BareBatch): BareAnswer {
  const now = Date.now();
  database.exec("BEGIN IMMEDIATE");
  for (const id of starts) start.run(id, request, now);
  for (const id of ends) end.run(result, now, id);
  const claimed = claims === 0 ? [] : pending.all(claims).map((row) => Number(row["id"]));
  for (const id of claimed) claim.run(id);
  database.exec("COMMIT");
  return { claimed };
}

parentPort?.on("message", (batch: BareBatch) => parentPort?.postMessage(commit(batch)));
