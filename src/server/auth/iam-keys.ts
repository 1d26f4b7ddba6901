// The named keys that IAM tokens are signed with: one signs, the ones before it only verify what they have signed. Kept
// in the data folder; the first is made when the first token is.
import type { CompactJWSHeaderParameters } from "jose";
import { type Clock, MICROS_PER_SECOND } from "../../base/clock.ts";
import { readPrivateFile, replacePrivateFile } from "../../base/private-files.ts";
import { authLimits } from "./auth-config.ts";
import type { KeyLookup } from "./json-web-token.ts";
import { localKeys } from "./local-keys.ts";
import { makeSigningKey, type SigningKey, signingKeyFromJson, signingKeyToJson } from "./signing-key.ts";

/** A key signs for 30 days. */
const SIGNING_SECONDS = 30 * 86_400;
/** Then it verifies for as long as its last token may live, and an hour. */
const VERIFYING_SECONDS: number = SIGNING_SECONDS + authLimits.tokenLifetimeSecondsMax + 3_600;

/** The keys that sign, and that verify what they have signed. */
export interface IamKeyRing {
  /** The key to sign with now. It is durable before it is used. */
  current(): SigningKey | Promise<SigningKey>;
  /** Finds a key to verify with. */
  readonly lookUp: KeyLookup;
}

/** True if a key may sign. */
export function isSigning(key: SigningKey, clock: Clock): boolean {
  return ageSeconds(key, clock) < SIGNING_SECONDS;
}

/** Those that still verify. */
export function verifyingKeys(keys: readonly SigningKey[], clock: Clock): SigningKey[] {
  return keys.filter((key) => ageSeconds(key, clock) < VERIFYING_SECONDS);
}

/** The file of some keys. */
export function keysText(keys: readonly SigningKey[]): string {
  return `${JSON.stringify({ keys: keys.map(signingKeyToJson) })}\n`;
}

export class IamKeys implements IamKeyRing {
  readonly #path: string | null;
  readonly #clock: Clock;
  /** The newest is the last. */
  #keys: readonly SigningKey[] = [];
  #lookUp: KeyLookup = localKeys([]);

  /** Reads the file; null keeps the keys in memory only. Throws a TypeError for a file that is something else. */
  constructor(path: string | null, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    const text = path === null ? undefined : readPrivateFile(path);
    if (text !== undefined) this.#use(readKeys(text, String(path)));
  }

  current(): SigningKey {
    const newest = this.#keys.at(-1);
    if (newest && isSigning(newest, this.#clock)) return newest;
    const made = makeSigningKey("iam", this.#clock.now());
    const keys = [...verifyingKeys(this.#keys, this.#clock), made];
    if (this.#path !== null) replacePrivateFile(this.#path, keysText(keys));
    this.#use(keys);
    return made;
  }

  readonly lookUp: KeyLookup = (header: CompactJWSHeaderParameters) => this.#lookUp(header);

  #use(keys: readonly SigningKey[]): void {
    this.#keys = keys;
    this.#lookUp = localKeys(keys.map(({ publicKey }) => publicKey));
  }
}

function ageSeconds({ createdAt }: SigningKey, clock: Clock): number {
  return (clock.now() - createdAt) / MICROS_PER_SECOND;
}

/** The keys of such a file; throws a TypeError for something else. */
export function readKeys(text: string, path: string): SigningKey[] {
  try {
    return (JSON.parse(text) as { keys: unknown[] }).keys.map(signingKeyFromJson);
  } catch {
    throw new TypeError(`${path} holds no signing keys; remove it, and the IAM tokens made so far end`);
  }
}
