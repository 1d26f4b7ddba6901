// The connection that hears the other nodes: LISTEN, on a connection of its own, made anew when it breaks. A connection
// that takes LISTEN and then hears nothing (a pooler between, a network that swallowed it) is found by messages to itself.
import { Client, type ClientConfig } from "pg";
import { randomBase36 } from "../../base/random.ts";
import { startTimer, type Timer } from "../../base/timers.ts";

/** How long a message to oneself may take. */
const TEST_TIMEOUT_MS = 2000;
const TEST_PERIOD_MS = 15_000;
const RECONNECT_MIN_MS = 250;
const RECONNECT_MAX_MS = 10_000;
/** After a failed test: the pooler will still be there. */
const RETRY_DEAF_MS = 60_000;

export interface ListenerOptions {
  /** How the database is reached now: as the pool's connections, or past a pooler. */
  config(): ClientConfig;
  channel: string;
  /** Sends a payload over another connection: over this one a pooler would pass it on, and prove nothing. */
  send(payload: string): Promise<void>;
  /** A payload that is not its own test: another node's message, or test. */
  heard(payload: string): void;
  /** True: messages arrive from now on; what was sent before may be lost. False: they do not. */
  changed(hears: boolean): void;
  /** Default 15,000. */
  testPeriodMs?: number;
}

export class Listener {
  readonly #options: ListenerOptions;
  #client: Client | null = null;
  #timer: Timer | null = null;
  #nonce = "";
  /** Null until it is known. */
  #hears: boolean | null = null;
  #retryMs = RECONNECT_MIN_MS;
  #isClosed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    void this.#connect();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const { config, channel } = this.#options;
    const client = new Client({ ...config(), keepAlive: true, connectionTimeoutMillis: TEST_TIMEOUT_MS });
    this.#client = client;
    client.on("error", () => this.#lose(client));
    client.on("end", () => this.#lose(client));
    client.on("notification", ({ payload = "" }) => this.#heard(client, payload));
    try {
      await client.connect();
      await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
    } catch {
      this.#lose(client);
      return;
    }
    if (this.#client === client) this.#test(client);
  }

  #test(client: Client): void {
    this.#nonce = `test ${randomBase36(16)}`;
    this.#timer?.cancel();
    this.#timer = startTimer(TEST_TIMEOUT_MS, () => {
      // One that has heard before may hear again on a new connection.
      if (this.#hears !== true) this.#retryMs = RETRY_DEAF_MS;
      this.#lose(client);
    });
    // Where it cannot be sent, nothing is learned about the connection: the time limit decides.
    this.#options.send(this.#nonce).catch(() => undefined);
  }

  #heard(client: Client, payload: string): void {
    if (client !== this.#client) return;
    if (payload !== this.#nonce) {
      this.#options.heard(payload);
      return;
    }
    this.#nonce = "";
    this.#retryMs = RECONNECT_MIN_MS;
    this.#timer?.cancel();
    this.#timer = startTimer(this.#options.testPeriodMs ?? TEST_PERIOD_MS, () => this.#test(client), {
      unref: true,
    });
    this.#tell(true);
  }

  /** The connection is given up; the next one is made after a pause that grows while none works. */
  #lose(client: Client): void {
    if (client !== this.#client) return;
    this.#client = null;
    this.#timer?.cancel();
    client.end().catch(() => undefined);
    this.#tell(false);
    if (this.#isClosed) return;
    this.#timer = startTimer(this.#retryMs, () => void this.#connect(), { unref: true });
    if (this.#retryMs < RECONNECT_MAX_MS) this.#retryMs = Math.min(2 * this.#retryMs, RECONNECT_MAX_MS);
  }

  #tell(hears: boolean): void {
    if (this.#isClosed) return;
    const isNews = hears !== this.#hears;
    this.#hears = hears;
    if (isNews) this.#options.changed(hears);
  }
}
