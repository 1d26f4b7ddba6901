// Bugs of receipts: who asked, the chain that they stand in, and what is signed of it.
import { byStore } from "./killers.ts";
import type { Killer, Mutant } from "./run-mutant.ts";

const HASH = "src/engine/receipts/chain-hash.ts";
const VERIFY = "src/engine/receipts/verify-chain.ts";

function byChainer(title: string): Killer {
  return { file: "src/engine/receipts/receipt-chainer.test.ts", title, says: "AssertionError" };
}

function byVerifier(title: string): Killer {
  return { file: "src/engine/receipts/verify-chain.test.ts", title, says: "AssertionError" };
}

function byNativeCancel(title: string): Killer {
  return { file: "src/services/native/cancel-operation.test.ts", title, says: "AssertionError" };
}

export const receiptMutants: readonly Mutant[] = [
  {
    name: "the receipt does not say who asked",
    breaks: "receipts",
    edits: [
      {
        file: "src/engine/transitions/cancel-request.ts",
        find: "return { time: now, kind, detail, by, onBehalfOf, requestId };",
        replace: "return { time: now, kind, detail, by: by.slice(0, 0), onBehalfOf, requestId };",
      },
    ],
    killers: [byStore("events wait in commit order", "AssertionError")],
  },
  {
    name: "the receipt does not say for whom",
    breaks: "receipts",
    edits: [
      {
        file: "src/engine/operation-calls.ts",
        find: "includeDeleted, onBehalfOf, requestId, force, ifRevision } as const;",
        replace:
          "includeDeleted, onBehalfOf: onBehalfOf.slice(0, 0), requestId, force, ifRevision } as const;",
      },
    ],
    killers: [byNativeCancel("who asked, for whom, in which request and why")],
  },
  {
    name: "an entry does not stand on the one before it",
    breaks: "receipts",
    edits: [
      {
        file: HASH,
        find: '.update(previousHash).update(content, "utf8")',
        replace: '.update(content, "utf8")',
      },
    ],
    killers: [byVerifier("an entry changed, and all hashes after it made anew")],
  },
  {
    name: "the first entry of each batch stands on nothing",
    breaks: "receipts",
    edits: [
      {
        file: "src/engine/receipts/receipt-chainer.ts",
        find: "heads.set(text, { head: head ?? none, signTime: 0, isSigned: true });",
        replace:
          "heads.set(text, { head: { ...(head ?? none), hash: GENESIS_HASH }, signTime: 0, isSigned: true });",
      },
    ],
    killers: [byChainer("a chain goes on where an earlier life")],
  },
  {
    name: "an event of a receipt is chained twice",
    breaks: "receipts",
    edits: [
      {
        file: "src/stores/sqlite/log-statements.ts",
        find: '"UPDATE receipt_events SET chained = 1 WHERE position = ? AND chained = 0"',
        replace: '"UPDATE receipt_events SET chained = chained WHERE position = ?"',
      },
    ],
    killers: [byStore("events wait in commit order", "AssertionError")],
  },
  {
    name: "a signature is not checked",
    breaks: "receipts",
    edits: [
      {
        file: HASH,
        find: "return verify(null, statement(place), publicKey, bytes);",
        replace: "return bytes.length > 0 || verify(null, statement(place), publicKey, bytes);",
      },
    ],
    killers: [byVerifier("a signature is checked to its last bit")],
  },
  {
    name: "any key may sign",
    breaks: "receipts",
    edits: [
      {
        file: VERIFY,
        find: "(trustedKeys && !trustedKeys.includes(keyId))",
        replace: "trustedKeys?.length === 0",
      },
    ],
    killers: [byVerifier("a chain forged from its beginning")],
  },
  {
    name: "a chain that was cut back passes",
    breaks: "receipts",
    edits: [{ file: VERIFY, find: "    this.#checkKnown();\n", replace: "" }],
    killers: [byVerifier("a file cut back to an older signature")],
  },
  {
    name: "the chain names principals",
    breaks: "receipts",
    edits: [
      {
        file: "src/engine/receipts/receipt-chainer.ts",
        find: "hashPrincipal: (principal) => this.#keys.principalHash(principal),",
        replace: "hashPrincipal: (principal) => principal,",
      },
    ],
    killers: [byChainer("an entry says who, for whom, why")],
  },
  {
    name: "retention takes receipts that are not chained",
    breaks: "receipts",
    edits: [
      {
        file: "src/stores/sqlite/log-statements.ts",
        find: "AND e.name = t.name AND e.chained = 0)",
        replace: "AND e.name = t.name AND e.chained = 7)",
      },
    ],
    killers: [byStore("a receipt stays until all of it is chained", "AssertionError")],
  },
];
