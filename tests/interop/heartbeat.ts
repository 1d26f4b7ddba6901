// What is seen of an operation's work from outside Belay: the process that does it (heartbeat.sh) writes its pid and beats
// into a folder. Stopped means: no such process any more, and silence.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isAlive } from "../faults/outside.ts";

/** How long a start or stop of work may take to be seen. */
const PATIENCE_MS = 15_000;

/** The work beats each 50 ms: six beats are missing after this time. */
const SILENCE_MS = 300;

const POLL_MS = 10;

/** The name of the variable that tells the operations' module the folder. */
export const HEARTBEAT_FOLDER = "BELAY_INTEROP_HEARTBEATS";

/** The last segment of an operation's name: the file of its heartbeats, and its id in the dialect yandex. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** The folder of one server's work. */
export class Heartbeats {
  readonly folder: string = mkdtempSync(join(tmpdir(), "belay-heartbeats-"));

  #beats(name: string): number {
    return statSync(join(this.folder, `${idOf(name)}.beats`), { throwIfNoEntry: false })?.size ?? 0;
  }

  async #until(condition: () => boolean, problem: string): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (!condition()) {
      assert.ok(performance.now() < end, `${problem} after ${PATIENCE_MS} ms`);
      await delay(POLL_MS);
    }
  }

  /** The process that works on the operation, once it beats. */
  async working(name: string): Promise<number> {
    await this.#until(() => this.#beats(name) > 0, `${name} has not begun`);
    const pid = Number(readFileSync(join(this.folder, `${idOf(name)}.pid`), "utf8"));
    assert.ok(isAlive(pid), `process ${pid} of ${name} is gone`);
    const before = this.#beats(name);
    await this.#until(() => this.#beats(name) > before, `${name} does not beat`);
    return pid;
  }

  /** Nothing of the work is left, now: the process is gone, and the file stays as it is. */
  async assertStopped(name: string, pid: number): Promise<void> {
    assert.ok(!isAlive(pid), `process ${pid} still works on ${name}`);
    const before = this.#beats(name);
    await delay(SILENCE_MS);
    assert.equal(this.#beats(name), before, `the work on ${name} goes on`);
  }

  /** The work on the operation never began. */
  assertNeverBegun(name: string): void {
    assert.ok(!existsSync(join(this.folder, `${idOf(name)}.pid`)), `${name} has begun`);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
