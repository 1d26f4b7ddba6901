// Tells when files have changed and come to rest. It looks at them every few seconds: the system's own notices miss
// what certificate tools do (a symbolic link that is turned to another folder, a file that is renamed over another).
import { statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { startInterval, type Timer } from "../../base/timers.ts";

interface FileState {
  ino: number;
  mtimeMs: number;
  size: number;
}

const ABSENT = "absent";

function stateOf({ ino, mtimeMs, size }: FileState): string {
  return `${ino} ${mtimeMs} ${size}`;
}

/** Watches from its making until `close`. Its timer does not keep the process alive. */
export class FileWatch {
  readonly #paths: readonly string[];
  readonly #onChange: () => void;
  readonly #timer: Timer;
  #known: string;
  #changed: string | undefined;
  #isLooking = false;

  /** `onChange` is called once a change was seen unaltered twice, `periodMs` apart: certificate and key have both come. */
  constructor(paths: readonly string[], periodMs: number, onChange: () => void) {
    this.#paths = paths;
    this.#onChange = onChange;
    this.#known = paths.map(stateNow).join("|");
    this.#timer = startInterval(periodMs, () => void this.#look(), { unref: true });
  }

  close(): void {
    this.#timer.cancel();
  }

  async #look(): Promise<void> {
    // A file system that hangs must not gather looks.
    if (this.#isLooking) return;
    this.#isLooking = true;
    const states = await Promise.all(this.#paths.map((path) => stat(path).then(stateOf, () => ABSENT)));
    this.#isLooking = false;
    const now = states.join("|");
    if (now === this.#known) {
      this.#changed = undefined;
    } else if (now !== this.#changed) {
      this.#changed = now;
    } else {
      this.#known = now;
      this.#changed = undefined;
      this.#onChange();
    }
  }
}

function stateNow(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? stateOf(found) : ABSENT;
}
