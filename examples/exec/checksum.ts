// The command of exec.checksum: prints the SHA-256 of every file below a folder, as sha256sum does.
// Usage: echo '{"folder": "docs"}' | node checksum.ts ROOT 3>&1
// The folder must lie in ROOT. Links are not followed. Exit code 2: the payload is wrong.
import { createHash } from "node:crypto";
import { createReadStream, writeSync } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { json } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

const NOTES = 3;
const NOTE_EVERY_MS = 200;

interface SizedFile {
  path: string;
  bytes: number;
}

/** Tells the worker. A pipe takes a few hundred bytes without blocking. */
function note(fields: object): void {
  writeSync(NOTES, `${JSON.stringify(fields)}\n`);
}

async function folderWithin(root: string, folder: unknown): Promise<string> {
  if (typeof folder !== "string") {
    throw new Error(
      `the payload's folder is ${JSON.stringify(folder) ?? "missing"}; it must be a text, such as "docs"`,
    );
  }
  const top = await realpath(root);
  const found = await realpath(resolve(top, folder)).catch(() => null);
  const isWithin = found === top || found?.startsWith(top.endsWith(sep) ? top : top + sep);
  // The same words for what is outside and what is absent: the answer tells nothing about the rest of the disk.
  if (found === null || !isWithin || !(await stat(found)).isDirectory()) {
    throw new Error(`there is no folder ${JSON.stringify(folder)} here`);
  }
  return found;
}

async function listFiles(folder: string): Promise<SizedFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: SizedFile[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.push({ path, bytes: (await stat(path)).size });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function hashFiles(folder: string, files: readonly SizedFile[]): Promise<void> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let bytesDone = 0;
  let notedAt = Number.NEGATIVE_INFINITY;
  for (const [index, { path, bytes }] of files.entries()) {
    if (performance.now() - notedAt >= NOTE_EVERY_MS) {
      notedAt = performance.now();
      const percent = total === 0 ? 0 : (100 * bytesDone) / total;
      note({
        percent,
        message: `file ${index + 1} of ${files.length}`,
        checkpoint: { files: index, bytes: bytesDone },
      });
    }
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    console.log(`${hash.digest("hex")}  ${relative(folder, path)}`);
    bytesDone += bytes;
  }
  note({
    percent: 100,
    message: `${files.length} files`,
    checkpoint: { files: files.length, bytes: bytesDone },
  });
}

async function main(root: string): Promise<void> {
  const payload = (await json(process.stdin)) as { folder?: unknown };
  const folder = await folderWithin(root, payload.folder);
  await hashFiles(folder, await listFiles(folder));
}

const [root] = process.argv.slice(2);
if (root === undefined) throw new Error("usage: node checksum.ts ROOT");
try {
  await main(root);
} catch (error) {
  console.error(`checksum: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
