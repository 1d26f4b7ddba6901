// The archive that is searched: a folder of mbox files, one a mailbox. A payload selects among the mailboxes that are
// there; nothing that a caller sends becomes part of a path.
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { OperationContext } from "belayd/worker";
import { makeCorpus, people } from "./make-corpus.ts";

/** One mbox file. */
export interface Mailbox {
  /** The file's name without `.mbox`: an address, or what the owner of the archive called it. */
  name: string;
  path: string;
  bytes: number;
}

const CORPUS_BYTES = 48_000_000;
/** As an archive on slow storage is read: a count takes a while, and can be watched and cancelled. */
const RATE_DEFAULT = 1_000_000;

/**
 * The mailboxes of the folder VAULT_ARCHIVE, in the order of their names; without it those of `corpus` in this folder,
 * which are made first where they are missing.
 */
export async function openArchive({ signal, progress }: OperationContext): Promise<Mailbox[]> {
  const { VAULT_ARCHIVE: folder } = process.env;
  if (folder !== undefined) return listMailboxes(folder);
  const corpus = fileURLToPath(new URL("./corpus", import.meta.url));
  if (people.some((owner) => !existsSync(join(corpus, `${owner}@example.com.mbox`)))) {
    const made = (bytes: number): void => progress(0, `making the mail: ${megabytes(bytes)} MB`);
    await makeCorpus(corpus, { bytes: CORPUS_BYTES, signal, progress: made });
  }
  return listMailboxes(corpus);
}

/** The mailboxes in a folder. Links are not followed. */
export async function listMailboxes(folder: string): Promise<Mailbox[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && /^[^.].*\.mbox$/.test(entry.name));
  const mailboxes = files.map(async ({ name }): Promise<Mailbox> => {
    const path = join(folder, name);
    return { name: name.slice(0, -".mbox".length), path, bytes: (await stat(path)).size };
  });
  return (await Promise.all(mailboxes)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Bytes per second that a count may read, of all its mailboxes together: VAULT_COUNT_RATE, 1,000,000 by default; 0 is no
 * limit. Throws a TypeError for another text.
 */
export function archiveRate(): number {
  const { VAULT_COUNT_RATE: text = String(RATE_DEFAULT) } = process.env;
  if (!/^\d{1,12}$/.test(text)) {
    throw new TypeError(`VAULT_COUNT_RATE ${JSON.stringify(text)} is not a whole number of bytes per second`);
  }
  return Number(text);
}

/** Bytes for people: `12.3`. */
export function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
