// The supervisor: a process of its own between a worker and its commands, so that they cannot outlive the worker.
// It holds one end of a pipe; however the worker ends, the pipe does, and the supervisor kills every command, waits
// until they are gone, and ends. It imports little, to be small and quick to start.
import { writeSync } from "node:fs";
import { monotonicNs } from "../../base/clock.ts";
import { startTimer, type Timer } from "../../base/timers.ts";
import { settlesWithin } from "../settles-within.ts";
import { ProcessRecords } from "./process-record.ts";
import { type ProcessEntry, readProcessTable } from "./process-table.ts";
import { type RecordPlace, SupervisedCommand } from "./supervised-command.ts";
import type { SupervisorNews, SupervisorOrder } from "./supervisor-messages.ts";

/** After this long the records of what cannot be killed are left to the next life's reaper. */
const ENDING_MAX_MS = 60_000;

class Supervisor {
  readonly #place: RecordPlace;
  readonly #commands = new Map<string, SupervisedCommand>();
  #isEnding = false;
  #leaseEndNs: bigint | null = null;
  #leaseTimer: Timer | undefined;

  constructor(place: RecordPlace) {
    this.#place = place;
  }

  receive(order: SupervisorOrder): void {
    if (order.type === "lease") {
      this.#leaseEndNs = order.endNs === "" ? null : BigInt(order.endNs);
      this.#watchLease();
      return;
    }
    const { marker } = order;
    if (order.type === "terminate") this.#commands.get(marker)?.terminate();
    else if (order.type === "kill") this.#commands.get(marker)?.kill();
    else if (this.#leaseLeftMs() <= 0) {
      // An order of a worker that was stopped meanwhile: its operation is another's by now.
      tell({ type: "refused", marker, problem: "the worker's lease has passed" });
    } else if (!this.#isEnding) {
      const command = new SupervisedCommand(order, this.#place, tell);
      this.#commands.set(marker, command);
      void command.gone.then(() => this.#commands.delete(marker));
    }
  }

  #leaseLeftMs(): number {
    return this.#leaseEndNs === null
      ? Number.POSITIVE_INFINITY
      : Number(this.#leaseEndNs - monotonicNs()) / 1e6;
  }

  /** By this process's own clock: the worker may be stopped, or too busy to say anything. */
  #watchLease(): void {
    this.#leaseTimer?.cancel();
    const leftMs = this.#leaseLeftMs();
    if (leftMs === Number.POSITIVE_INFINITY) return;
    if (leftMs > 0) this.#leaseTimer = startTimer(leftMs, () => this.#watchLease());
    else this.#forAll((command, table) => command.leaseLost(table));
  }

  /**
   * Looks at the processes once: 33 commands that each looked for themselves, on a machine with 300 processes, were killed
   * over 600 ms, which is longer than a lease can be cut short for it.
   */
  #forAll(stop: (command: SupervisedCommand, table: readonly ProcessEntry[]) => void): void {
    const table = readProcessTable();
    for (const command of this.#commands.values()) stop(command, table);
  }

  /** Kills everything and ends the process; called again it does nothing. */
  async end(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#forAll((command, table) => command.kill(table));
    const gone = Promise.all([...this.#commands.values()].map((command) => command.gone));
    await settlesWithin(gone, ENDING_MAX_MS);
    process.exit(this.#commands.size > 0 ? 1 : 0);
  }
}

function tell(news: SupervisorNews): void {
  if (!process.connected) return;
  process.send?.(news, undefined, undefined, () => {}); // a failed send: the worker is gone, `disconnect` follows
}

const [folder = "", bootId = "", ownerPid = "", ownerStartTime = ""] = process.argv.slice(2);
process.title = "belay-supervisor";
process.chdir("/"); // it must not keep a file system busy
const supervisor = new Supervisor({
  records: new ProcessRecords(folder),
  bootId,
  owner: { pid: Number(ownerPid), startTime: ownerStartTime },
});
process.on("message", (order: SupervisorOrder) => supervisor.receive(order));
process.on("disconnect", () => void supervisor.end());
// It ends by its pipe alone. A service manager that signals all processes at once would otherwise take the supervisor
// away from a worker that is still draining.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
process.on("uncaughtException", (error) => {
  try {
    writeSync(2, `belay-supervisor: ${error.stack ?? error.message}\n`);
  } catch {
    // nobody reads standard error any more
  }
  void supervisor.end();
});
tell({ type: "ready" });
