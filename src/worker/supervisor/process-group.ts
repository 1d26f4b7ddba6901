// One command's processes: its group, and the descendants that left it. Finds them, signals them, says when none is
// left. Used by the supervisor, by the worker when its supervisor is gone, and by the reaper after a restart.
import { assert } from "../../base/assert.ts";
import { delay } from "../../base/timers.ts";
import { markedProcesses, type ProcessEntry, readProcess, readProcessTable } from "./process-table.ts";

/** What names a command's processes for good. */
export interface GroupIdentity {
  /** The group, and its leader's pid; null if it is not known (only the marker is hunted then). */
  pgid: number | null;
  /** The leader's start time; null with pgid. */
  startTime: string | null;
  /** The value of BELAY_ATTEMPT. */
  marker: string;
}

const POLL_MIN_MS = 5;
const POLL_MAX_MS = 200;

/** The processes of one command. */
export class ProcessGroup {
  readonly #identity: GroupIdentity;
  /** True for who started the leader and has looked ever since: the group's number is then its own until it is empty. */
  readonly #isObserved: boolean;
  /** Descendants that were seen, by pid with their start time: they are followed wherever they move. */
  readonly #known = new Map<number, string>();
  #isEmpty = false;

  constructor(identity: GroupIdentity, options: { observed: boolean }) {
    const { pgid } = identity;
    // kill(0) and kill(-1) mean "my own group" and "everyone".
    assert(pgid === null || (Number.isSafeInteger(pgid) && pgid > 1), `process group ${pgid} is none`);
    this.#identity = identity;
    this.#isObserved = options.observed;
  }

  /** The processes that are alive: members of the group, their descendants, and whoever carries the marker. */
  living(table: readonly ProcessEntry[] = readProcessTable()): ProcessEntry[] {
    const { marker, startTime } = this.#identity;
    const found = new Map<number, ProcessEntry>();
    for (const entry of this.#members(table)) found.set(entry.pid, entry);
    for (const entry of table)
      if (this.#known.get(entry.pid) === entry.startTime) found.set(entry.pid, entry);
    for (const entry of markedProcesses(table, marker, startTime)) found.set(entry.pid, entry);
    addDescendants(table, found);
    found.delete(process.pid);
    const living = [...found.values()].filter((entry) => entry.isAlive);
    for (const { pid, startTime: since } of living) this.#known.set(pid, since);
    return living;
  }

  /** Sends a signal to the group, and to each descendant that left it. Looks first: afterwards the tree may be torn. */
  signal(...signals: readonly NodeJS.Signals[]): ProcessEntry[] {
    return this.signalAmong(readProcessTable(), ...signals);
  }

  /** The same with a table that was read in this turn of the event loop, which many groups may share. */
  signalAmong(table: readonly ProcessEntry[], ...signals: readonly NodeJS.Signals[]): ProcessEntry[] {
    const living = this.living(table);
    const { pgid } = this.#identity;
    for (const signal of signals) {
      if (pgid !== null && living.some((entry) => entry.pgid === pgid)) sendSignal(-pgid, signal);
      for (const entry of living) {
        // Between the look and the signal the process may have ended and its pid be another's.
        const isSame = entry.pgid !== pgid && readProcess(entry.pid)?.startTime === entry.startTime;
        if (isSame) sendSignal(entry.pid, signal);
      }
    }
    return living;
  }

  /** Sends SIGKILL again and again until nothing is left; false if something still is after `timeoutMs`. */
  async killUntilGone(timeoutMs: number): Promise<boolean> {
    let waitedMs = 0;
    for (let pauseMs = POLL_MIN_MS; ; pauseMs = Math.min(POLL_MAX_MS, pauseMs * 2)) {
      if (this.signal("SIGKILL").length === 0) return true;
      if (waitedMs >= timeoutMs) return false;
      await delay(pauseMs);
      waitedMs += pauseMs;
    }
  }

  /**
   * The group's members, zombies too; none once the group was empty or proves to be another's.
   *
   * A group's number is given to no other process while it has a member. So: the leader with its own start time proves
   * the group; a leader with another start time proves that the number was given again. Without a leader only who has
   * looked all the time can tell; others need one member with the marker.
   */
  #members(table: readonly ProcessEntry[]): ProcessEntry[] {
    const { pgid, startTime, marker } = this.#identity;
    if (pgid === null || this.#isEmpty) return [];
    const members = table.filter((entry) => entry.pgid === pgid);
    const leader = table.find((entry) => entry.pid === pgid);
    const isOurs = leader
      ? leader.startTime === startTime
      : this.#isObserved || markedProcesses(members, marker, startTime).length > 0;
    if (isOurs && members.length > 0) return members;
    this.#isEmpty = true;
    return [];
  }
}

/** Adds to `found` every process whose parent is in it, until there is none left to add. */
function addDescendants(table: readonly ProcessEntry[], found: Map<number, ProcessEntry>): void {
  if (found.size === 0) return;
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const entry of table) if (found.has(entry.ppid)) found.set(entry.pid, entry);
  }
}

function sendSignal(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch {
    // ESRCH: it ended meanwhile. EPERM: it is another user's now; it stays among the living, and so unconfirmed.
  }
}
