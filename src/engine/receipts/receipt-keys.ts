// The secrets of the receipts, in the folder `receipts` of the data folder: the Ed25519 key that signs checkpoints (PKCS8),
// the salt of the principals' hashes, and the public keys of all keys that ever signed. Files only; chain-hash.ts signs.
//
//   receipts/signing-key.pem  receipts/salt  receipts/public-keys/<key id>
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createPrivateFile, readPrivateFile, replacePrivateFile } from "../../base/private-files.ts";
import { randomKey } from "../../base/random.ts";
import { keyIdOf, publicKeyText } from "./chain-hash.ts";

const SALT_BYTES = 32;

/** A key that signs. */
export interface SigningKey {
  /** The hash of the public key. */
  keyId: string;
  privateKey: KeyObject;
}

/** The keys of one store. */
export interface ReceiptKeys {
  /** The key to sign with; made, durably, when it is first asked for. */
  signing(): SigningKey;
  /** Every public key that ever signed here, by key id: base64url of its 32 bytes. */
  publicKeys(): Readonly<Record<string, string>>;
  /** How a principal stands in the chain: whoever knows the principal, and can ask this store, finds its entries. */
  principalHash(principal: string): string;
}

/** Keys in files, which one process has for itself. */
export interface RotatableKeys extends ReceiptKeys {
  /** From now on a new key signs. The old public keys stay. */
  rotate(): SigningKey;
}

/** A principal's HMAC-SHA256 under the store's salt, base64url. */
export function principalHash(salt: Uint8Array, principal: string): string {
  return createHmac("sha256", salt).update(principal, "utf8").digest("base64url");
}

/**
 * Reads the keys of a folder; nothing is written before it is needed. Throws a TypeError for a file that others may
 * read, or that is something else.
 */
export function openReceiptKeys(folder: string): RotatableKeys {
  return new FileKeys(folder);
}

class FileKeys implements RotatableKeys {
  readonly #folder: string;
  #signing: SigningKey | undefined;
  #salt: Uint8Array | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#signing = readSigningKey(this.#keyPath);
    this.#salt = readSalt(this.#saltPath);
  }

  get #keyPath(): string {
    return join(this.#folder, "signing-key.pem");
  }

  get #saltPath(): string {
    return join(this.#folder, "salt");
  }

  get #publicFolder(): string {
    return join(this.#folder, "public-keys");
  }

  signing(): SigningKey {
    if (this.#signing === undefined) {
      createPrivateFile(this.#keyPath, newKeyText());
      this.#signing = readSigningKey(this.#keyPath);
    }
    if (this.#signing === undefined) throw new TypeError(`${this.#keyPath} went away`);
    this.#publish(this.#signing);
    return this.#signing;
  }

  rotate(): SigningKey {
    this.signing();
    replacePrivateFile(this.#keyPath, newKeyText());
    this.#signing = readSigningKey(this.#keyPath);
    return this.signing();
  }

  publicKeys(): Readonly<Record<string, string>> {
    if (this.#signing) this.#publish(this.#signing);
    if (!existsSync(this.#publicFolder)) return {};
    const keys: Record<string, string> = {};
    for (const keyId of readdirSync(this.#publicFolder).sort()) {
      const text = readFileSync(join(this.#publicFolder, keyId), "utf8").trim();
      if (/^[\w-]{43}$/.test(keyId) && keyIdOf(text) === keyId) keys[keyId] = text;
    }
    return keys;
  }

  principalHash(principal: string): string {
    if (this.#salt === undefined) {
      createPrivateFile(this.#saltPath, newSaltText());
      this.#salt = readSalt(this.#saltPath);
    }
    return principalHash(this.#salt ?? new Uint8Array(), principal);
  }

  /** Before the key signs: a checkpoint whose public key nobody has is worth nothing. */
  #publish({ keyId, privateKey }: SigningKey): void {
    const path = join(this.#publicFolder, keyId);
    if (!existsSync(path)) createPrivateFile(path, `${publicKeyText(createPublicKey(privateKey))}\n`);
  }
}

/** A new Ed25519 key, PKCS8 in PEM. */
export function newKeyText(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function readSigningKey(path: string): SigningKey | undefined {
  const text = readPrivateFile(path);
  if (text === undefined) return undefined;
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(text);
  } catch {
    throw new TypeError(`${path} holds no private key; move it away, and a new one is made`);
  }
  if (privateKey.asymmetricKeyType !== "ed25519") throw new TypeError(`${path} holds no Ed25519 key`);
  return { keyId: keyIdOf(publicKeyText(createPublicKey(privateKey))), privateKey };
}

function readSalt(path: string): Uint8Array | undefined {
  const text = readPrivateFile(path);
  return text === undefined ? undefined : saltOf(text, path);
}

/** A new salt, as its file has it. */
export function newSaltText(): string {
  return `${Buffer.from(randomKey(SALT_BYTES)).toString("base64url")}\n`;
}

/** The salt in the text of its file; throws a TypeError for something else. */
export function saltOf(text: string, path: string): Uint8Array {
  const salt = Buffer.from(text.trim(), "base64url");
  if (salt.length !== SALT_BYTES) throw new TypeError(`${path} holds no salt of ${SALT_BYTES} bytes`);
  return salt;
}
