// The keys of an issuer behind an address: fetched at the first token, kept, and fetched again when a token names a key
// that is not known, or when they are old. A dead issuer never stops tokens whose keys are at hand.
import type { CompactJWSHeaderParameters, CryptoKey } from "jose";
import { monotonicMs } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { startTimer } from "../../base/timers.ts";
import type { KeyLookup } from "./json-web-token.ts";
import { keysOfSet } from "./key-files.ts";
import { localKeys } from "./local-keys.ts";

const FETCH_TIMEOUT_MS = 5_000;
const BODY_BYTES_MAX = 262_144;
/** Anybody can make up key ids: they make us ask the issuer this often at most. */
const UNKNOWN_KEY_PERIOD_MS = 30_000;
/** After a failed fetch without any keys at hand, the next one is tried no sooner. */
const RETRY_PERIOD_MS = 1_000;
/** Then they are fetched again, so that a withdrawn key is forgotten; the old ones serve meanwhile. */
const FRESH_MS = 600_000;
/** Older ones are not used any more. */
const AGE_MAX_MS = 86_400_000;

export interface RemoteKeysOptions {
  uri: string;
  logger: Logger;
  /** The monotonic clock in milliseconds; for tests. */
  nowMs?: () => number;
}

/** The keys behind one address. */
export class RemoteKeys {
  readonly #uri: string;
  readonly #logger: Logger;
  readonly #nowMs: () => number;
  readonly #closing = new AbortController();
  #keys: KeyLookup | undefined;
  #keysTimeMs = 0;
  #lastFetchMs = Number.NEGATIVE_INFINITY;
  #hasFailed = false;
  #pending: Promise<void> | undefined;

  constructor({ uri, logger, nowMs = monotonicMs }: RemoteKeysOptions) {
    this.#uri = uri;
    this.#logger = logger;
    this.#nowMs = nowMs;
  }

  /** Finds the key of a token. Rejects with jose's JWKSNoMatchingKey, or IDENTITY_UNAVAILABLE. */
  readonly lookUp: KeyLookup = async (header) => {
    const ageMs = this.#nowMs() - this.#keysTimeMs;
    if (!this.#keys || ageMs > AGE_MAX_MS) {
      this.#keys = undefined;
      if (this.#pending || this.#mayFetch(RETRY_PERIOD_MS)) await this.#fetch();
    } else if (ageMs > FRESH_MS && this.#mayFetch(UNKNOWN_KEY_PERIOD_MS)) {
      void this.#fetch();
    }
    return await this.#find(header);
  };

  async #find(header: CompactJWSHeaderParameters): Promise<CryptoKey> {
    if (!this.#keys) throw unavailable();
    try {
      return await this.#keys(header);
    } catch (error) {
      if ((error as { code?: string }).code !== "ERR_JWKS_NO_MATCHING_KEY") throw error;
      if (this.#pending || this.#mayFetch(UNKNOWN_KEY_PERIOD_MS)) await this.#fetch();
      // The key may be a new one that could not be fetched: that is no reason to call the token bad.
      if (this.#hasFailed) throw unavailable();
      return await this.#keys(header);
    }
  }

  /** Ends a fetch that is under way. */
  close(): void {
    this.#closing.abort();
  }

  #mayFetch(periodMs: number): boolean {
    return this.#nowMs() - this.#lastFetchMs >= periodMs;
  }

  /** Fetches once for all who wait. Never rejects: #hasFailed tells. */
  #fetch(): Promise<void> {
    this.#pending ??= this.#fetchNow().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #fetchNow(): Promise<void> {
    this.#lastFetchMs = this.#nowMs();
    try {
      const keys = keysOfSet(await fetchText(this.#uri, this.#closing.signal));
      if (!keys) throw new Error("the answer is no JSON Web Key Set");
      this.#keys = localKeys(keys);
      this.#keysTimeMs = this.#nowMs();
      this.#hasFailed = false;
    } catch (error) {
      this.#hasFailed = true;
      this.#logger.warn({ err: error, uri: this.#uri }, "the keys of a token issuer could not be fetched");
    }
  }
}

function unavailable(): RpcError {
  return new RpcError("IDENTITY_UNAVAILABLE", {}, { retryDelayMs: RETRY_PERIOD_MS });
}

/** GETs a text within the limits of time and size. A redirect is an error: the operator named this address. */
async function fetchText(uri: string, closing: AbortSignal): Promise<string> {
  const late = new AbortController();
  const timer = startTimer(FETCH_TIMEOUT_MS, () =>
    late.abort(new Error(`no answer within ${FETCH_TIMEOUT_MS} ms`)),
  );
  try {
    const response = await fetch(uri, {
      redirect: "error",
      headers: { accept: "application/jwk-set+json, application/json" },
      signal: AbortSignal.any([closing, late.signal]),
    });
    if (response.status !== 200) throw new Error(`the answer has the status ${response.status}`);
    return await readBody(response);
  } finally {
    timer.cancel();
  }
}

async function readBody(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > BODY_BYTES_MAX) throw new Error(`the answer is larger than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
