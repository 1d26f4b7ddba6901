// Work that the store has given a session in a commit that nobody answered. The session beats, so no lease would ever give
// it back:
//
//   acquire -> committed -> the database's connection breaks -> here the acquire has failed. What it granted is reserved for a
//   worker that never hears of it.
import { monotonicMs } from "../base/clock.ts";
import type { Grant } from "./commands.ts";
import { keyText } from "./decision.ts";

/** A COMMIT that was on its way when the connection broke is durable by then, or never. */
const LATE_MS = 30_000;

export class UnheardGrants {
  #untilMs: number = Number.NEGATIVE_INFINITY;

  /** An acquire was not answered. */
  acquireFailed(): void {
    this.#untilMs = monotonicMs() + LATE_MS;
  }

  /** False: the store has given nothing but what the session knows. */
  get mayBeThere(): boolean {
    return monotonicMs() <= this.#untilMs;
  }
}

/**
 * What the store has given the session and is not in `given`, by keyText. To be called while no acquire is under way. What
 * was given when the read began, and is not afterwards, has ended meanwhile: the read may not know it.
 */
export async function findUnheard(
  session: string,
  given: ReadonlyMap<string, unknown>,
  read: () => Promise<readonly Grant[]>,
): Promise<readonly Grant[]> {
  const before = new Set(given.keys());
  const grants = await read();
  return grants.filter(({ record }) => {
    const text = keyText(record);
    return record.lease?.session === session && !before.has(text) && !given.has(text);
  });
}
