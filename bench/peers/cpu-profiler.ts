// CPU profiles of this process between two moments: of its main thread, and of each worker thread that it has then. Written as
// .cpuprofile files that browsers and editors open.
import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";

const INTERVAL_US = 500;

interface Attached {
  sessionId: string;
  workerInfo: { title: string };
}

interface Reply {
  id: number;
  result?: unknown;
}

/** A worker thread, spoken to through the main thread's inspector. */
class ThreadSession {
  readonly title: string;
  readonly #id: string;
  readonly #session: Session;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #lastId = 0;

  constructor(session: Session, { sessionId, workerInfo }: Attached) {
    this.title = workerInfo.title.replace(/^\[worker [^\]]*\]\s*/, "");
    this.#id = sessionId;
    this.#session = session;
    session.on("NodeWorker.receivedMessageFromWorker", ({ params }) => {
      if (params.sessionId !== sessionId) return;
      const { id, result } = JSON.parse(params.message) as Reply;
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    });
  }

  async post<Result>(method: string, params: object = {}): Promise<Result> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, resolve);
    const message = JSON.stringify({ id, method, params });
    await this.#session.post("NodeWorker.sendMessageToWorker", { sessionId: this.#id, message });
    return (await promise) as Result;
  }
}

export class CpuProfiler {
  #session: Session | undefined;
  #threads: ThreadSession[] = [];

  async start(): Promise<void> {
    const session = new Session();
    session.connect();
    session.on("NodeWorker.attachedToWorker", ({ params }) => {
      this.#threads.push(new ThreadSession(session, params));
    });
    // Tells of all that there are before it answers.
    await session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
    for (const target of [session, ...this.#threads]) {
      await target.post("Profiler.enable");
      await target.post("Profiler.setSamplingInterval", { interval: INTERVAL_US });
      await target.post("Profiler.start");
    }
    this.#session = session;
  }

  /** Writes `path` for the main thread, and beside it one file for each thread; answers all of them. */
  async stop(path: string): Promise<string[]> {
    const session = this.#session;
    if (!session) return [];
    const paths: string[] = [];
    const targets = [
      { title: "", target: session },
      ...this.#threads.map((target) => ({ title: target.title, target })),
    ];
    for (const [index, { title, target }] of targets.entries()) {
      const { profile } = await (target as ThreadSession).post<{ profile: unknown }>("Profiler.stop");
      const place =
        index === 0
          ? path
          : path.replace(/\.cpuprofile$/, `-${index}-${title.replaceAll(/[^\w-]+/g, "-")}.cpuprofile`);
      writeFileSync(place, JSON.stringify(profile));
      paths.push(place);
    }
    await session.post("NodeWorker.disable");
    session.disconnect();
    this.#session = undefined;
    this.#threads = [];
    return paths;
  }
}
