// The secrets of the receipts where several nodes share a store: one key signs for all of them, and one salt hashes, so that
// a chain that several nodes append to is checked and read like that of one. Made by the first node that needs them; each
// keeps them in memory.
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { readPrivateFile } from "../../base/private-files.ts";
import { changeSharedFile, type SharedFiles } from "../../base/shared-files.ts";
import { keyIdOf, publicKeyText } from "./chain-hash.ts";
import {
  newKeyText,
  newSaltText,
  openReceiptKeys,
  principalHash,
  type ReceiptKeys,
  type SigningKey,
  saltOf,
} from "./receipt-keys.ts";

const KEY_PATH = "receipts/signing-key.pem";
const SALT_PATH = "receipts/salt";
const PUBLIC_KEYS_PATH = "receipts/public-keys.json";

/**
 * Reads the keys, or makes them: of those in `folder`, if a server has used that before with a store of its own. Throws a
 * TypeError for something else under their names.
 */
export async function openSharedReceiptKeys(files: SharedFiles, folder: string): Promise<ReceiptKeys> {
  const own = (name: string): string | undefined => readPrivateFile(join(folder, name));
  const pem = await changeSharedFile(
    files,
    KEY_PATH,
    (text) => text ?? own("signing-key.pem") ?? newKeyText(),
  );
  const salt = await changeSharedFile(files, SALT_PATH, (text) => text ?? own("salt") ?? newSaltText());
  const privateKey = privateKeyOf(pem.text);
  const publicText = publicKeyText(createPublicKey(privateKey));
  const keyId = keyIdOf(publicText);
  const former = pem.text === own("signing-key.pem") ? openReceiptKeys(folder).publicKeys() : {};
  const known = await changeSharedFile(files, PUBLIC_KEYS_PATH, (text) => {
    const keys = publicKeysOf(text);
    if (text !== undefined && keys[keyId] === publicText) return text;
    return `${JSON.stringify({ ...former, ...keys, [keyId]: publicText })}\n`;
  });
  return new SharedReceiptKeys({ keyId, privateKey }, saltOf(salt.text, SALT_PATH), publicKeysOf(known.text));
}

class SharedReceiptKeys implements ReceiptKeys {
  readonly #signing: SigningKey;
  readonly #salt: Uint8Array;
  readonly #publicKeys: Readonly<Record<string, string>>;

  constructor(signing: SigningKey, salt: Uint8Array, publicKeys: Readonly<Record<string, string>>) {
    this.#signing = signing;
    this.#salt = salt;
    this.#publicKeys = publicKeys;
  }

  signing(): SigningKey {
    return this.#signing;
  }

  publicKeys(): Readonly<Record<string, string>> {
    return this.#publicKeys;
  }

  principalHash(principal: string): string {
    return principalHash(this.#salt, principal);
  }
}

function privateKeyOf(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    throw new TypeError(`${KEY_PATH} in the store holds no private key`);
  }
}

function publicKeysOf(text: string | undefined): Record<string, string> {
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Record<string, string>;
  } catch {
    throw new TypeError(`${PUBLIC_KEYS_PATH} in the store holds no public keys`);
  }
}
