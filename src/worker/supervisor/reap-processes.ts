// Ends, after a restart, what a former life of the worker left running.
import { delay } from "../../base/timers.ts";
import { readBootId } from "./boot-id.ts";
import { ProcessGroup } from "./process-group.ts";
import { type ProcessRecord, ProcessRecords } from "./process-record.ts";
import { readProcess } from "./process-table.ts";

/** A command of a former life that could not be ended in time; its record stays. */
export interface RemainingProcess {
  /** The operation's name. */
  operation: string;
  pgid: number | null;
}

/** A child between fork and exec does not show its marker yet; this much later it does. */
const EXEC_WINDOW_MS = 50;

/**
 * Kills every process that the records in `processFolder` name, whose worker is gone, and waits until it is gone, at
 * most `timeoutMs` (default 5,000). Answers those that remain: of their operations nobody may say that they stopped.
 * Never touches a process of another boot, a pid that was given again, or the records of a worker that lives.
 * To be called before anything is concluded from the end of the former life's sessions.
 */
export async function reapProcesses(
  processFolder: string,
  options: { timeoutMs?: number } = {},
): Promise<readonly RemainingProcess[]> {
  const records = new ProcessRecords(processFolder);
  const bootId = readBootId();
  records.removeHalfWritten();
  const left = records.read().filter((record) => record.bootId === bootId && !isRunning(record));
  for (const record of records.read()) if (record.bootId !== bootId) records.remove(record);
  const outcomes = await Promise.all(left.map((record) => reap(record, records, options.timeoutMs ?? 5_000)));
  return outcomes.filter((remaining) => remaining !== undefined);
}

function isRunning({ owner }: ProcessRecord): boolean {
  const entry = readProcess(owner.pid);
  return entry?.isAlive === true && entry.startTime === owner.startTime;
}

async function reap(
  record: ProcessRecord,
  records: ProcessRecords,
  timeoutMs: number,
): Promise<RemainingProcess | undefined> {
  const { operation, pgid } = record;
  if (pgid === null) await delay(EXEC_WINDOW_MS);
  const group = new ProcessGroup(record, { observed: false });
  if (!(await group.killUntilGone(timeoutMs))) return { operation, pgid };
  records.remove(record);
  return undefined;
}
