// What the handlers of the workers' processes tell the driver's: over a socket, gathered per turn of the event loop, so that
// telling costs a peer next to nothing. Counts only, unless each single event is wanted.
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { monotonicNs } from "../../src/base/clock.ts";

/** What became of one handler. Times are of the machine's one monotonic clock, in nanoseconds. */
export interface HandlerTimes {
  beganNs?: bigint;
  abortedNs?: bigint;
  endedNs?: bigint;
}

type Event = "began" | "aborted" | "ended";

/** The driver's side. */
export class NoticeBoard {
  readonly times: Map<string, HandlerTimes> = new Map();
  /** Handlers that ran, of all workers. */
  ran = 0;
  #listeners: (() => void)[] = [];
  #server: Server | undefined;

  /** Listens for workers of other processes. */
  async listen(path: string): Promise<void> {
    const server = createServer((socket) => this.#read(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(path, resolve));
  }

  /** Called after every change. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  addRan(count: number): void {
    this.ran += count;
    for (const listener of this.#listeners) listener();
  }

  note(id: string, event: Event, ns: bigint): void {
    const times = this.times.get(id) ?? {};
    times[`${event}Ns`] = ns;
    this.times.set(id, times);
    for (const listener of this.#listeners) listener();
  }

  /** Resolves true when the condition holds, false after `timeoutMs`. */
  until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isMet: boolean): void => {
        clearTimeout(timer);
        this.#listeners = this.#listeners.filter((listener) => listener !== look);
        resolve(isMet);
      };
      const look = (): void => {
        if (condition()) settle(true);
      };
      const timer = setTimeout(() => settle(false), timeoutMs);
      this.#listeners.push(look);
      look();
    });
  }

  close(): void {
    this.#server?.close();
  }

  #read(socket: Socket): void {
    socket.on("error", () => {}); // a worker was killed: the run is over
    createInterface({ input: socket }).on("line", (line) => {
      const [event = "", id = "", ns = "0"] = line.split(" ");
      if (event === "ran") this.addRan(Number(id));
      else this.note(id, event as Event, BigInt(ns));
    });
  }
}

/** A worker's side. */
export interface Notices {
  ran(): void;
  note(id: string, event: Event): void;
}

/** Tells a board in another process. */
export function sendNotices(path: string): Notices {
  const socket = createConnection(path);
  let count = 0;
  return {
    ran() {
      if (count++ > 0) return;
      setImmediate(() => {
        socket.write(`ran ${count}\n`);
        count = 0;
      });
    },
    note(id, event) {
      socket.write(`${event} ${id} ${monotonicNs()}\n`);
    },
  };
}

/** Tells a board in this process. */
export function localNotices(board: NoticeBoard): Notices {
  let count = 0;
  return {
    ran() {
      if (count++ > 0) return;
      setImmediate(() => {
        board.addRan(count);
        count = 0;
      });
    },
    note: (id, event) => board.note(id, event, monotonicNs()),
  };
}
