// A CPU profile of this process's main thread between two moments, written as a .cpuprofile that browsers and editors open.
import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";

export class CpuProfiler {
  #session: Session | undefined;

  async start(): Promise<void> {
    const session = new Session();
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: 500 });
    await session.post("Profiler.start");
    this.#session = session;
  }

  async stop(path: string): Promise<void> {
    const session = this.#session;
    if (!session) return;
    const { profile } = await session.post("Profiler.stop");
    session.disconnect();
    this.#session = undefined;
    writeFileSync(path, JSON.stringify(profile));
  }
}
