// Sessions that this process asks work for, as it last saw them. Another node may have closed or taken one since: what a commit
// grants to a session from memory is committed only if the row is still as remembered (checkSessions).
import { dropOldest } from "../../base/drop-oldest.ts";
import type { Command } from "../../engine/commands.ts";
import type { Decision, SessionRecord } from "../../engine/decision.ts";

/** About 1 kB each. */
const HELD_MAX = 4096;

export class HeldSessions {
  readonly #held = new Map<string, SessionRecord>();

  get(session: string): SessionRecord | undefined {
    return this.#held.get(session);
  }

  /** A commit of this process: what it saw of sessions that asked for work, and what it made of sessions. */
  committed(
    commands: readonly Command[],
    seen: ReadonlyMap<string, SessionRecord>,
    { sessionsOpened, sessionsBeaten, sessionsClosed }: Decision,
  ): void {
    for (const command of commands) {
      if (command.type !== "acquire") continue;
      const record = seen.get(command.session);
      if (record !== undefined) this.#put(record);
    }
    for (const record of sessionsOpened) this.#put(record);
    for (const { session, node } of sessionsBeaten) if (node !== undefined) this.#held.delete(session);
    for (const session of sessionsClosed) this.#held.delete(session);
  }

  /** Nobody knows what the last commit did. */
  clear(): void {
    this.#held.clear();
  }

  #put(record: SessionRecord): void {
    if (this.#held.get(record.session) === record) return;
    this.#held.set(record.session, record);
    dropOldest(this.#held, HELD_MAX);
  }
}
