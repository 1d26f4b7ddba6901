// The keys that IAM tokens are signed with, where several nodes share a store: whichever node needs a new one makes it, all
// sign with it, and a token of one node is verified by every other.
import type { CompactJWSHeaderParameters } from "jose";
import { type Clock, monotonicMs } from "../../base/clock.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { changeSharedFile, type SharedFiles } from "../../base/shared-files.ts";
import { delay } from "../../base/timers.ts";
import { type IamKeyRing, isSigning, keysText, readKeys, verifyingKeys } from "./iam-keys.ts";
import type { KeyLookup } from "./json-web-token.ts";
import { localKeys } from "./local-keys.ts";
import { makeSigningKey, type SigningKey } from "./signing-key.ts";

const PATH = "identity/iam-keys.json";

/** Reads for keys that are not known here come no closer than this: anybody can write a token with an invented key. */
const READ_PAUSE_MS = 100;

export class SharedIamKeys implements IamKeyRing {
  readonly #files: SharedFiles;
  readonly #clock: Clock;
  /** The newest is the last. */
  #keys: readonly SigningKey[] = [];
  #lookUp: KeyLookup = localKeys([]);
  #reading: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(files: SharedFiles, clock: Clock) {
    this.#files = files;
    this.#clock = clock;
  }

  async current(): Promise<SigningKey> {
    const known = this.#keys.at(-1);
    if (known && isSigning(known, this.#clock)) return known;
    const { text } = await changeSharedFile(this.#files, PATH, (stored) => {
      const keys = stored === undefined ? [] : readKeys(stored, PATH);
      const newest = keys.at(-1);
      if (stored !== undefined && newest && isSigning(newest, this.#clock)) return stored;
      return keysText([...verifyingKeys(keys, this.#clock), makeSigningKey("iam", this.#clock.now())]);
    });
    this.#use(readKeys(text, PATH));
    const newest = this.#keys.at(-1);
    if (newest === undefined) throw new TypeError(`${PATH} in the store has no keys`);
    return newest;
  }

  readonly lookUp: KeyLookup = async (header: CompactJWSHeaderParameters) => {
    if (!this.#keys.some(({ kid }) => kid === header.kid)) await this.#read();
    return await this.#lookUp(header);
  };

  /** Each call is served by a read that begins after it: the key may have been made a moment ago, elsewhere. */
  #read(): Promise<void> {
    if (this.#reading === null) {
      this.#reading = this.#load().finally(() => {
        this.#reading = null;
      });
      return this.#reading;
    }
    this.#next ??= this.#reading
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        return this.#read();
      });
    return this.#next;
  }

  async #load(): Promise<void> {
    await delay(Math.max(0, this.#readMs + READ_PAUSE_MS - monotonicMs()));
    this.#readMs = monotonicMs();
    try {
      const file = await this.#files.read(PATH);
      if (file) this.#use(readKeys(file.text, PATH));
    } catch (cause) {
      throw new RpcError("IDENTITY_UNAVAILABLE", {}, { cause });
    }
  }

  #use(keys: readonly SigningKey[]): void {
    this.#keys = keys;
    this.#lookUp = localKeys(keys.map(({ publicKey }) => publicKey));
  }
}
