// As much of PostgreSQL's protocol as the fault proxy needs: where a message ends, and which one commits. See
// https://www.postgresql.org/docs/18/protocol-message-formats.html

/** Cuts a stream into whole messages. */
export class MessageReader {
  readonly #side: "client" | "server";
  #rest: Buffer = Buffer.alloc(0);
  /** Untyped messages come first from a client: requests for encryption, and the startup. */
  #isStarted: boolean;

  constructor(side: "client" | "server") {
    this.#side = side;
    this.#isStarted = side === "server";
  }

  /** The messages that are whole with this chunk. */
  push(chunk: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: Buffer[] = [];
    for (;;) {
      const typeBytes = this.#isStarted ? 1 : 0;
      if (this.#rest.length < typeBytes + 4) return messages;
      const length = typeBytes + this.#rest.readInt32BE(typeBytes);
      if (this.#rest.length < length) return messages;
      const message = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      // Version 3.x; what asks for encryption has a code of its own, and is followed by a startup.
      if (!this.#isStarted && this.#side === "client") this.#isStarted = message.readInt32BE(4) >> 16 === 3;
      messages.push(message);
    }
  }
}

/** Finds the message with which a client commits. */
export class CommitFinder {
  readonly #statements = new Map<string, string>();
  #inTransaction = false;
  #hasWritten = false;

  /**
   * True for a COMMIT, by a query or as a statement that was parsed before; and for a Sync behind statements that write
   * outside of a transaction: they are one by themselves, which the Sync commits.
   */
  isCommit(message: Buffer): boolean {
    const type = String.fromCharCode(message[0] ?? 0);
    const [first = "", second = ""] = message.subarray(5).toString("latin1").split("\0", 2);
    if (type === "P") this.#statements.set(first, second);
    if (type === "B") return this.#runs(this.#statements.get(second) ?? "");
    if (type === "Q") return this.#runs(first);
    if (type !== "S") return false;
    const isCommit = this.#hasWritten && !this.#inTransaction;
    this.#hasWritten = false;
    return isCommit;
  }

  #runs(sql: string): boolean {
    if (/^\s*(begin|start)\b/i.test(sql)) this.#inTransaction = true;
    const isCommit = /^\s*commit\b/i.test(sql);
    if (isCommit || /^\s*rollback\b/i.test(sql)) this.#inTransaction = false;
    if (/\b(insert into|update|delete from)\b/i.test(sql)) this.#hasWritten = true;
    if (isCommit) this.#hasWritten = false;
    return isCommit;
  }
}

/** True if a server says so that what it was sent last is committed. */
export function saysCommitted(message: Buffer): boolean {
  const type = String.fromCharCode(message[0] ?? 0);
  return type === "Z" || (type === "C" && message.subarray(5).toString("latin1") === "COMMIT\0");
}

/** True for a notification. */
export function isNotification(message: Buffer): boolean {
  return message[0] === "A".charCodeAt(0);
}
