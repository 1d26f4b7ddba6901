// The Nth fsync fails, for many N: nothing is acknowledged from then on, no sync is tried again, the process ends, and
// what was acknowledged before is there. Needs strace; where it is missing the test fails.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("./failing-sync-program.ts", import.meta.url));
const COMMITS = 50;
const scratch = mkdtempSync(join(tmpdir(), "belay-sync-"));
after(() => rmSync(scratch, { recursive: true }));

interface Sync {
  file: string;
  failed: boolean;
}

interface Run {
  status: number | null;
  lines: string[];
  syncs: Sync[];
  folder: string;
}

let runs = 0;

/** Runs the program under strace; the `failAt`-th sync of its writer thread (from 1) answers EIO. */
function run(failAt: number | null): Run {
  const folder = join(scratch, `run-${++runs}`);
  const trace = `${folder}.trace`;
  const inject = failAt === null ? [] : ["-e", `inject=fsync,fdatasync:error=EIO:when=${failAt}`];
  const strace = ["-f", "-y", "-e", "trace=fsync,fdatasync", ...inject, "-o", trace];
  const command = [process.execPath, program, folder, String(COMMITS)];
  const result = spawnSync("strace", [...strace, ...command], { encoding: "utf8" });
  assert.equal(result.error, undefined, "strace runs");
  const syncs = readFileSync(trace, "utf8")
    .split("\n")
    .flatMap((line) => {
      const found = /sync\(\d+<([^>]*)>\) += (-?\d+)/.exec(line);
      return found ? [{ file: basename(found[1] ?? ""), failed: found[2] !== "0" }] : [];
    });
  return { status: result.status, lines: result.stdout.trim().split("\n"), syncs, folder };
}

function acknowledged({ lines }: Run): string[] {
  return lines
    .filter((line) => line.startsWith("acknowledged "))
    .map((line) => line.slice("acknowledged ".length));
}

/** The names in the database, as another process finds them. */
function storedNames(folder: string): Set<unknown> {
  const database = new DatabaseSync(join(folder, "belay.db"));
  try {
    assert.deepEqual(Object.values(database.prepare("PRAGMA integrity_check").get() ?? {}), ["ok"]);
    return new Set(
      database
        .prepare("SELECT name FROM operations")
        .all()
        .map((row) => row["name"]),
    );
  } finally {
    database.close();
  }
}

const sound = run(null);

/** The first sync of the first commit: those before it belong to opening the store. */
const opening = sound.syncs.findLastIndex(({ file }) => file === "belay.reserve") + 1;

test("without a fault every commit syncs the log before it is acknowledged", () => {
  assert.equal(sound.status, 0, sound.lines.join("\n"));
  assert.equal(sound.lines.at(-1), "closed");
  assert.equal(acknowledged(sound).length, COMMITS);
  assert(sound.syncs.filter(({ file }) => file === "belay.db-wal").length >= COMMITS);
  assert(
    sound.syncs.some(({ file }) => file === "belay.db"),
    "the log was written back",
  );
});

// Syncs of commits all along, and every one of writing the log back.
const points = sound.syncs.flatMap(({ file }, index) =>
  index >= opening && index < sound.syncs.length - 2 && (file === "belay.db" || index % 9 === 0)
    ? [index + 1]
    : [],
);

for (const failAt of points) {
  test(`sync ${failAt} of ${sound.syncs[failAt - 1]?.file} fails: no acknowledgement and no sync after it`, () => {
    const failing = run(failAt);
    assert.equal(failing.status, 5, failing.lines.join("\n"));
    const fatal = failing.lines.filter((line) => line.startsWith("fatal "));
    assert.equal(fatal.length, 1, "one line");
    assert.match(
      fatal[0] ?? "",
      /^fatal the database in \S+ failed: disk I\/O error \(SQLite result code \d+\); nothing more/,
    );
    const at = failing.lines.findIndex((line) => line.startsWith("fatal "));
    for (const line of failing.lines.slice(at + 1)) assert.match(line, /^refused STORAGE_UNAVAILABLE/);
    assert.equal(
      failing.syncs.findIndex(({ failed }) => failed),
      failing.syncs.length - 1,
      "it was the last sync",
    );
    const stored = storedNames(failing.folder);
    for (const name of acknowledged(failing)) assert(stored.has(name), `${name} was acknowledged`);
  });
}

test("there was something to test", () => {
  assert(points.length >= 6, `${points.length} points`);
  assert(points.some((point) => sound.syncs[point - 1]?.file === "belay.db"));
});
