// Makes the mail that the example counts: eight mailboxes of invented messages in the forms that mail takes. The same
// size gives the same bytes on every machine, for the chance in it is a seeded sequence. By hand:
//   node make-corpus.ts corpus 48
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { threadId } from "node:worker_threads";
import { writeMessage } from "./corpus-message.ts";

/** The people; each has a mailbox of that name. */
export const people: readonly string[] = ["ada", "ben", "chloe", "dmitri", "elena", "farid", "grace", "hugo"];

/** An unfinished file that is as old as this belongs to a run that was killed. */
const STALE_MS = 600_000;
const PARTIAL = ".partial";

export interface CorpusOptions {
  /** The size of all mailboxes together; each ends with the first message beyond its share. */
  bytes: number;
  signal: AbortSignal;
  /** Called with the bytes that are written. */
  progress?: (bytes: number) => void;
}

/** Makes the mailboxes that are not there yet. A file appears whole, or not at all. */
export async function makeCorpus(folder: string, options: CorpusOptions): Promise<void> {
  const { bytes, signal, progress } = options;
  await mkdir(folder, { recursive: true });
  await removeStale(folder);
  const share = Math.floor(bytes / people.length);
  for (const [index, owner] of people.entries()) {
    const path = join(folder, `${owner}@example.com.mbox`);
    if (existsSync(path)) continue;
    // Two threads that make the same file at the same time write the same bytes, each in a place of its own.
    const partial = join(folder, `.${owner}.${process.pid}-${threadId}${PARTIAL}`);
    try {
      const told = (written: number): void => progress?.(index * share + written);
      await pipeline(Readable.from(mailbox(index, share, told)), createWriteStream(partial), { signal });
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  }
}

async function* mailbox(index: number, share: number, told: (bytes: number) => void): AsyncGenerator<Buffer> {
  const next = seeded(index + 1);
  let [written, number] = [0, 0];
  while (written < share) {
    const messages: Buffer[] = [];
    for (let size = 0; size < 65_536 && written + size < share; number++) {
      const message = writeMessage({ owner: people[index] ?? "", people, number, next });
      messages.push(message);
      size += message.length;
    }
    const chunk = Buffer.concat(messages);
    written += chunk.length;
    told(written);
    yield chunk;
  }
}

/** Numbers from 0 up to 1, the same for the same seed: Marsaglia's xorshift32. */
export function seeded(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

async function removeStale(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(PARTIAL)) continue;
    const made = await stat(join(folder, name)).catch(() => null);
    if (made && Date.now() - made.mtimeMs > STALE_MS) await rm(join(folder, name), { force: true });
  }
}

if (import.meta.main) {
  const [folder = "corpus", megabytes = "48"] = process.argv.slice(2);
  const { signal } = new AbortController();
  await makeCorpus(folder, { bytes: Number(megabytes) * 1_000_000, signal });
}
