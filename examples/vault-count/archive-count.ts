// Counts the messages of mailboxes that pass a test: reads them in chunks, tells how far it is in bytes, keeps what it has
// counted as a checkpoint every second, and goes on from there in another attempt.
import { setTimeout as delay } from "node:timers/promises";
import type { JsonObject, OperationContext } from "belayd/worker";
import { type Mailbox, megabytes } from "./archive.ts";
import { type MailMessage, parseMessage } from "./mail-message.ts";
import { readMailbox } from "./mbox-reader.ts";

/** What was counted in one mailbox. */
export type MailboxCount = {
  mailbox: string;
  /** How much of it has been read, up to the end of a message. */
  bytes: number;
  messages: number;
  matches: number;
  /** Messages without a date that can be read. */
  undated: number;
};

export interface CountOptions {
  mailboxes: readonly Mailbox[];
  matches: (message: MailMessage) => boolean;
  /** Bytes per second; 0 is no limit. */
  ratePerSecond: number;
}

const CHECKPOINT_EVERY_MS = 1_000;
const CHUNK_MAX = 262_144;
const CHUNK_MIN = 4_096;

/**
 * Counts, one mailbox after the other. It stops between two chunks when the context's signal aborts. The checkpoint is
 * `{"matches": 12, "bytes": 3400000, "ofBytes": 48000000, "mailboxes": [{...}]}`.
 */
export async function countMessages(
  context: OperationContext,
  { mailboxes, matches, ratePerSecond }: CountOptions,
): Promise<MailboxCount[]> {
  const counts = countsDone(context.checkpointed, mailboxes);
  const tally = new Tally(context, counts, mailboxes);
  const pace = new ReadPace(ratePerSecond, context.signal);
  for (const [index, { path, bytes }] of mailboxes.entries()) {
    const count = counts[index];
    if (!count || count.bytes >= bytes) continue;
    let position = count.bytes;
    const options = { start: position, signal: context.signal, chunkBytes: pace.chunkBytes };
    for await (const messages of readMailbox(path, options)) {
      for (const raw of messages) {
        const message = parseMessage(raw);
        count.messages++;
        if (message.date === null) count.undated++;
        if (matches(message)) count.matches++;
        count.bytes = raw.end;
      }
      await tally.tell();
      const read = Math.min(pace.chunkBytes, bytes - position);
      position += read;
      await pace.wait(read);
    }
    // What stands behind the last message belongs to none.
    count.bytes = bytes;
  }
  await tally.checkpoint();
  return counts;
}

/** The counts that an earlier attempt left, for the mailboxes that are there now. */
function countsDone(checkpoint: JsonObject | null, mailboxes: readonly Mailbox[]): MailboxCount[] {
  const { mailboxes: done = [] } = (checkpoint ?? {}) as { mailboxes?: MailboxCount[] };
  return mailboxes.map(({ name, bytes }) => {
    const found = done.find(({ mailbox }) => mailbox === name);
    // A file that has become shorter is another one.
    const isUsable = found !== undefined && found.bytes <= bytes;
    return isUsable ? { ...found } : { mailbox: name, bytes: 0, messages: 0, matches: 0, undated: 0 };
  });
}

/** Tells how far the count is. */
class Tally {
  readonly #context: OperationContext;
  readonly #counts: readonly MailboxCount[];
  readonly #ofBytes: number;
  #storedAt = performance.now();

  constructor(context: OperationContext, counts: readonly MailboxCount[], mailboxes: readonly Mailbox[]) {
    this.#context = context;
    this.#counts = counts;
    this.#ofBytes = sum(mailboxes, ({ bytes }) => bytes);
  }

  async tell(): Promise<void> {
    const bytes = sum(this.#counts, (count) => count.bytes);
    const matches = sum(this.#counts, (count) => count.matches);
    const message = `${megabytes(bytes)} of ${megabytes(this.#ofBytes)} MB, ${matches} messages match`;
    this.#context.progress((100 * bytes) / Math.max(1, this.#ofBytes), message);
    if (performance.now() - this.#storedAt >= CHECKPOINT_EVERY_MS) await this.checkpoint();
  }

  async checkpoint(): Promise<void> {
    this.#storedAt = performance.now();
    await this.#context.checkpoint({
      matches: sum(this.#counts, (count) => count.matches),
      bytes: sum(this.#counts, (count) => count.bytes),
      ofBytes: this.#ofBytes,
      mailboxes: this.#counts.filter(({ bytes }) => bytes > 0).map((count) => ({ ...count })),
    });
  }
}

/** Holds the reading to so many bytes a second, from when it began. */
class ReadPace {
  /** About four reads a second, for an even pace. */
  readonly chunkBytes: number;
  readonly #rate: number;
  readonly #signal: AbortSignal;
  readonly #beganAt = performance.now();
  #bytes = 0;

  constructor(rate: number, signal: AbortSignal) {
    this.#rate = rate;
    this.#signal = signal;
    this.chunkBytes = rate === 0 ? CHUNK_MAX : Math.min(CHUNK_MAX, Math.max(CHUNK_MIN, Math.floor(rate / 4)));
  }

  /** Waits until `bytes` more may have been read. An abort ends it at once. */
  async wait(bytes: number): Promise<void> {
    if (this.#rate === 0) return;
    this.#bytes += bytes;
    const dueMs = this.#beganAt + (1_000 * this.#bytes) / this.#rate - performance.now();
    if (dueMs > 0) await delay(dueMs, undefined, { signal: this.#signal });
  }
}

/** Adds up. */
export function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
