// Whether what a server has committed survives a crash of it (G9): asked of each server that a connection finds, since the next
// one after a fail-over may be set otherwise. What only a fail-over would lose is told as a warning, once at the start.
import type { Queryable, Statement } from "./queryable.ts";

/** A server that forgets in a crash what it has acknowledged. */
export class UnsafeServer extends Error {
  constructor(setting: string) {
    super(`${setting} is off, and must be on: a crash of the server would lose what was acknowledged`);
  }
}

/** For the statement that a new connection begins with: `fsync`, `synchronous_commit`. */
export const durabilityColumns = "current_setting('fsync'), current_setting('synchronous_commit')";

/** Throws UnsafeServer. */
export function requireDurable(fsync: unknown, synchronousCommit: unknown): void {
  if (fsync === "off") throw new UnsafeServer("fsync");
  if (synchronousCommit === "off") throw new UnsafeServer("synchronous_commit");
}

const readModes: Statement = {
  name: "durability_modes",
  text: `SELECT current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
    current_setting('full_page_writes')`,
};

/** Tells a store's operator at its start what the promise lacks that the settings look like. */
export async function tellDurability(
  connections: Queryable,
  onNotice: (line: string) => void,
): Promise<void> {
  const [row] = await connections.rows<[string, string, string]>(readModes);
  for (const line of durabilityWarnings(row ?? ["on", "", "on"])) onNotice(line);
}

/** A line for each setting that breaks a promise which others seem to make. */
export function durabilityWarnings([mode, standbys, pages]: readonly [string, string, string]): string[] {
  const lines: string[] = [];
  if (standbys !== "" && (mode === "local" || mode === "remote_write")) {
    const gap =
      mode === "local"
        ? "commits do not wait for the synchronous standby, and a fail-over loses the last of them"
        : "a standby confirms what it has not synced, and a power cut of both machines loses it";
    lines.push(`synchronous_commit of the database is ${mode}: ${gap}; see docs/guide/production.md`);
  }
  // Off is right where the file system writes pages as a whole, which nobody can see from here.
  if (pages === "off") {
    lines.push(
      "full_page_writes of the database is off: on a file system that may tear a page, a power cut destroys it",
    );
  }
  return lines;
}
