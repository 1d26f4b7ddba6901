// Reads an mbox file in chunks and cuts it into messages; memory stays bounded however large file and messages are.
// The format is that of RFC 4155 with the variants that are met: LF or CRLF, `>From ` quoting, no blank line at the end.
import { type FileHandle, open } from "node:fs/promises";

/** A message as it lies in the file. */
export interface RawMessage {
  /** Where it ends, in bytes from the start of the file: the next one's start, if there is one. */
  end: number;
  /** Its `From ` line, without the line end. */
  separator: string;
  /** What follows that line, up to MESSAGE_MAX. */
  content: Buffer;
  /** True if there was more. */
  isCut: boolean;
}

export interface ReadOptions {
  /** Where to begin: 0, or a message's end. Anywhere else it begins with the next message. */
  start: number;
  signal: AbortSignal;
  /** Bytes that are read at once; default 256 KiB. */
  chunkBytes?: number;
}

/** What is beyond this is not searched. */
export const MESSAGE_MAX = 8 * 1_048_576;

const CHUNK_BYTES = 262_144;
/** No `From ` line is longer. */
const SEPARATOR_MAX = 512;
/** The end of the bytes that are read may be the start of the next separator, with the blank line before it. */
const LOOKBACK = SEPARATOR_MAX + 8;

/**
 * A blank line and `From ` also stand in texts, where a careless program has not quoted them. A real one names an hour
 * and a year: `From ada@example.com Mon Mar  2 09:15:00 2026`.
 */
const separatorLine = /^From .*\b\d\d:\d\d(:\d\d)?\b.*\b\d{4}\b/;

/**
 * The messages of a file, one array for each chunk that was read; an empty one where none ended. Between two chunks it
 * rejects with the reason of an aborted signal. What stands before the first separator is passed over.
 */
export async function* readMailbox(path: string, options: ReadOptions): AsyncGenerator<RawMessage[]> {
  const { start, signal, chunkBytes = CHUNK_BYTES } = options;
  const splitter = new MessageSplitter(start);
  const file = await open(path);
  try {
    for (let position = start; ; ) {
      signal.throwIfAborted();
      const chunk = await readChunk(file, position, chunkBytes);
      position += chunk.length;
      const isEnd = chunk.length < chunkBytes;
      yield splitter.push(chunk, isEnd);
      if (isEnd) return;
    }
  } finally {
    await file.close();
  }
}

/** Less than `bytes` only at the end of the file. */
async function readChunk(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  let length = 0;
  while (length < bytes) {
    const { bytesRead } = await file.read(buffer, length, bytes - length, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

class MessageSplitter {
  /** The unread rest: it begins with a message, or `#before` bytes after a message's beginning. */
  #rest: Buffer = Buffer.alloc(0);
  #before = 0;
  /** The beginning of a message that is too long, when its middle has been dropped. */
  #kept: Buffer | undefined;
  #start: number;

  constructor(start: number) {
    this.#start = start;
  }

  push(chunk: Buffer, isEnd: boolean): RawMessage[] {
    const messages: RawMessage[] = [];
    let from = Math.max(0, this.#rest.length - LOOKBACK);
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const boundary = nextSeparator(this.#rest, from, isEnd);
      if (boundary < 0) break;
      this.#take(boundary, messages);
      from = 0;
    }
    if (isEnd) this.#take(this.#rest.length, messages);
    else this.#drop();
    return messages;
  }

  /** Ends the message at an offset of the rest. */
  #take(length: number, messages: RawMessage[]): void {
    const whole = this.#kept ?? this.#rest.subarray(0, length);
    const isCut = this.#before + length > MESSAGE_MAX;
    this.#start += this.#before + length;
    this.#rest = this.#rest.subarray(length);
    this.#before = 0;
    this.#kept = undefined;
    const lineEnd = whole.indexOf(10);
    const separator = whole.toString("latin1", 0, lineEnd < 0 ? whole.length : lineEnd).trimEnd();
    if (!separatorLine.test(separator)) return;
    const content = whole.subarray(lineEnd < 0 ? whole.length : lineEnd + 1, MESSAGE_MAX);
    messages.push({ end: this.#start, separator, content, isCut });
  }

  /** Forgets the middle of a message that has become too long. */
  #drop(): void {
    if (this.#before + this.#rest.length <= MESSAGE_MAX + LOOKBACK) return;
    this.#kept ??= Buffer.from(this.#rest.subarray(0, MESSAGE_MAX));
    const dropped = this.#rest.length - LOOKBACK;
    this.#before += dropped;
    this.#rest = Buffer.from(this.#rest.subarray(dropped));
  }
}

/** The offset of the next `From ` line behind a blank line, or -1 if there is none that is known to be one. */
function nextSeparator(bytes: Buffer, from: number, isEnd: boolean): number {
  for (let at = bytes.indexOf("\nFrom ", from); at >= 0; at = bytes.indexOf("\nFrom ", at + 1)) {
    const isAfterBlank = bytes[at - 1] === 10 || (bytes[at - 1] === 13 && bytes[at - 2] === 10);
    if (!isAfterBlank) continue;
    const lineEnd = bytes.indexOf(10, at + 1);
    const isWhole = lineEnd >= 0 || isEnd || bytes.length - at > SEPARATOR_MAX;
    if (!isWhole) return -1;
    const end = Math.min(lineEnd < 0 ? bytes.length : lineEnd, at + SEPARATOR_MAX);
    if (separatorLine.test(bytes.toString("latin1", at + 1, end))) return at + 1;
  }
  return -1;
}
