// Tells the other nodes that there is something to read: after the commit, and one message at a time. What comes while one
// is on its way goes into the next, so that a busy node sends as many as the database takes, and no more.
import { type ChangeMessage, encodeChangeMessage } from "./change-message.ts";
import type { Queryable, Statement } from "./queryable.ts";

// Not in the commit's own transaction: a NOTIFY holds a lock of the whole server until its transaction is durable, which
// would let only one batch of all nodes commit at a time. And not durable: a message that is lost is polled.
const notify: Statement = {
  name: "follow_notify",
  text: "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)",
};

export class Notifier {
  readonly #connection: Queryable;
  readonly #channel: string;
  readonly #node: string;
  /** False while no other node is at work: nobody would hear it. */
  hasPeers = true;
  #position = 0;
  #types: Set<string> | null = new Set();
  #isSending = false;

  constructor(connection: Queryable, channel: string, node: string) {
    this.#connection = connection;
    this.#channel = channel;
    this.#node = node;
  }

  /** The feed has grown up to `position` (0: it has not), and these types may be ready. */
  tell(position: number, types: Iterable<string>): void {
    if (!this.hasPeers) return;
    this.#position = Math.max(this.#position, position);
    for (const type of types) this.#types?.add(type);
    if (!this.#isSending) void this.#send();
  }

  /** Sends a payload as it is; rejects where it could not be sent. */
  async send(payload: string): Promise<void> {
    await this.#connection.rows(notify, [this.#channel, payload]);
  }

  get #hasMessage(): boolean {
    return this.#position > 0 || this.#types === null || this.#types.size > 0;
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    try {
      while (this.#hasMessage) {
        const types = this.#types === null ? null : [...this.#types];
        const message: ChangeMessage = { node: this.#node, position: this.#position, types };
        this.#position = 0;
        this.#types = new Set();
        await this.send(encodeChangeMessage(message));
      }
    } catch {
      // Lost, as a message may be. What failed here fails for the commits, too, and is told there.
    } finally {
      this.#isSending = false;
    }
  }
}
