// A chain of made-up receipt events for tests, linked and signed by the functions that the chainer uses.
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import type { ReceiptEvent } from "../operation.ts";
import type { ChainCheckpoint, ChainEntry } from "../store.ts";
import { signHead } from "./chain-export.ts";
import { entryHash, GENESIS_HASH, keyIdOf, publicKeyText } from "./chain-hash.ts";
import { ChainLines } from "./chain-lines.ts";
import { receiptContent } from "./receipt-content.ts";
import { principalHash, type ReceiptKeys } from "./receipt-keys.ts";

/** Keys that live in memory. */
export function memoryKeys(): ReceiptKeys {
  const salt = new Uint8Array(32).fill(7);
  const { privateKey } = generateKeyPairSync("ed25519");
  const text = publicKeyText(createPublicKey(privateKey));
  const signing = { keyId: keyIdOf(text), privateKey };
  return {
    signing: () => signing,
    publicKeys: () => ({ [signing.keyId]: text }),
    principalHash: (principal) => principalHash(salt, principal),
  };
}

const kinds: readonly ReceiptEvent["kind"][] = ["REQUESTED", "DELIVERED", "ACKNOWLEDGED", "STOPPED", "ENDED"];
const startTime = 1_800_000_000_000_000;

/** A chain of `length` entries with a checkpoint behind each of the `signed` sequences. */
export function sampleChain(
  length: number,
  signed: readonly number[],
  keys: ReceiptKeys,
  chain: { service: string; tenant: string } = { service: "default", tenant: "default" },
): { entries: ChainEntry[]; checkpoints: ChainCheckpoint[] } {
  const entries: ChainEntry[] = [];
  const checkpoints: ChainCheckpoint[] = [];
  let hash = GENESIS_HASH;
  for (let sequence = 1; sequence <= length; sequence++) {
    const kind = kinds[sequence % kinds.length] ?? "ENDED";
    const name = `operations/opr${Math.ceil(sequence / kinds.length)}`;
    const event = {
      time: startTime + sequence * 1001,
      kind,
      detail: `detail ${sequence} "é"`,
      by: "user:ada",
    };
    const content = receiptContent({
      sequence,
      entry: { ...chain, name, type: "test.work", position: sequence, event },
      receipt: undefined,
      hashPrincipal: (principal) => keys.principalHash(principal),
    });
    hash = entryHash(hash, content);
    const entry = { ...chain, sequence, name, content, hash };
    entries.push(entry);
    if (signed.includes(sequence)) checkpoints.push(signHead(entry, event.time + 5, keys));
  }
  return { entries, checkpoints };
}

/** The whole chain as the lines of a file. */
export function sampleFile(length: number, signed: readonly number[], keys: ReceiptKeys): string[] {
  const { entries, checkpoints } = sampleChain(length, signed, keys);
  const lines = new ChainLines();
  const header = { service: "default", tenant: "default", after: 0, afterHash: GENESIS_HASH };
  return [
    lines.header({ ...header, publicKeys: keys.publicKeys() }),
    ...lines.page(entries, checkpoints),
    lines.end(),
  ];
}
