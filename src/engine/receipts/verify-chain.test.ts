import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { memoryKeys, sampleChain, sampleFile } from "./chain.fixture.ts";
import { signHead } from "./chain-export.ts";
import { entryHash, isSignedPlace, keyIdOf, publicKeyOf } from "./chain-hash.ts";
import { ChainLines } from "./chain-lines.ts";
import { type FindingKind, type Verification, verifyChain } from "./verify-chain.ts";

const keys = memoryKeys();
const signed = [4, 9, 12];
const file = sampleFile(12, signed, keys);
// header, 1-4, signature, 5-9, signature, 10-12, signature, end
assert.equal(file.length, 17);

const kindsOf = ({ findings }: Verification): FindingKind[] => [...new Set(findings.map(({ kind }) => kind))];
const lineOf = (sequence: number): number =>
  file.findIndex((line) => line.includes(`"sequence":${sequence}}}`));

test("a chain as it was written is intact, and its head, signatures and keys are told", async () => {
  const result = await verifyChain(file);
  assert.deepEqual(result.findings, []);
  assert.equal(result.isIntact, true);
  assert.equal(result.entries, 12);
  assert.equal(result.checkpoints, 3);
  assert.equal(result.head.sequence, 12);
  assert.deepEqual(result.signed, result.head);
  assert.deepEqual(result.keyIds, [keys.signing().keyId]);
  assert.deepEqual([result.service, result.tenant], ["default", "default"]);
});

test("an empty chain, and entries after the last signature, are fine", async () => {
  assert.equal((await verifyChain(sampleFile(0, [], keys))).isIntact, true);
  const open = await verifyChain(sampleFile(6, [4], keys));
  assert.equal(open.isIntact, true);
  assert.equal(open.signed.sequence, 4);
  assert.equal(open.head.sequence, 6);
});

test("a part of a chain is verified from where it begins", async () => {
  const { entries, checkpoints } = sampleChain(12, signed, keys);
  const part = (afterHash: string): string[] => {
    const lines = new ChainLines();
    const header = {
      service: "default",
      tenant: "default",
      after: 5,
      afterHash,
      publicKeys: keys.publicKeys(),
    };
    const page = lines.page(entries.slice(5), checkpoints.slice(1));
    return [lines.header(header), ...page, lines.end()];
  };
  assert.equal((await verifyChain(part(entries[4]!.hash))).isIntact, true);
  assert.deepEqual(kindsOf(await verifyChain(part(entries[3]!.hash))), ["changed"]);
});

/** A change that keeps the text a text, at a place of its own. */
const character = fc.constantFrom("x", "0", " ", '"', "}", "A", "\\");

test("any change of a character in any line is found", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), character, async (lineSeed, placeSeed, added) => {
      const at = lineSeed % file.length;
      const line = file[at]!;
      const place = placeSeed % line.length;
      if (line[place] === added) return;
      const changed = file.with(at, line.slice(0, place) + added + line.slice(place + 1));
      assert.equal((await verifyChain(changed)).isIntact, false, `line ${at + 1}, column ${place + 1}`);
    }),
    { numRuns: 1500 },
  );
});

test("any line added, removed, repeated, or swapped with another one is found", async () => {
  const at = fc.nat(file.length - 1);
  await fc.assert(
    fc.asyncProperty(at, at, fc.constantFrom("remove", "repeat", "swap", "move"), async (one, two, how) => {
      const lines = [...file];
      const [line] = [lines[one]!];
      if (how === "remove") lines.splice(one, 1);
      if (how === "repeat") lines.splice(two, 0, line);
      if (how === "swap") [lines[one], lines[two]] = [lines[two]!, line];
      if (how === "move") lines.splice(two, 0, ...lines.splice(one, 1));
      const isSame = lines.length === file.length && lines.every((text, index) => text === file[index]);
      assert.equal((await verifyChain(lines)).isIntact, isSame, `${how} ${one + 1} ${two + 1}`);
    }),
    { numRuns: 1500 },
  );
});

test("a file that is cut short anywhere is found truncated", async () => {
  for (let length = 0; length < file.length; length++) {
    const kinds = kindsOf(await verifyChain(file.slice(0, length)));
    assert.ok(kinds.includes("truncated"), `after ${length} lines: ${kinds.join()}`);
  }
});

/** The end line of a forger who knows the format: it fits the lines before it. */
async function withEnd(lines: readonly string[]): Promise<string[]> {
  const { createHash } = await import("node:crypto");
  const digest = createHash("sha256")
    .update(lines.map((line) => `${line}\n`).join(""))
    .digest("base64url");
  const count = (kind: string): number => lines.filter((line) => line.startsWith(`{"${kind}"`)).length;
  const end = { checkpoints: count("checkpoint"), digest, entries: count("entry") };
  return [...lines, JSON.stringify({ end })];
}

interface Forgery {
  what: string;
  lines(): string[];
  found: readonly FindingKind[];
}

const body = file.slice(0, -1);
const without = (...sequences: number[]): string[] =>
  body.filter((line) => !sequences.some((sequence) => line === body[lineOf(sequence)]));
const rewritten = (sequence: number, change: (content: string) => string): string[] =>
  body.map((line) => {
    const { entry } = JSON.parse(line);
    if (entry?.sequence !== sequence) return line;
    return JSON.stringify({ entry: { ...entry, content: change(entry.content) } });
  });

const forgeries: readonly Forgery[] = [
  {
    what: "one entry changed",
    lines: () => rewritten(6, (text) => text.replace("detail 6", "detail 7")),
    found: ["changed"],
  },
  { what: "one entry removed", lines: () => without(6), found: ["missing"] },
  { what: "three entries removed", lines: () => without(5, 6, 7), found: ["missing"] },
  { what: "the signed last entry removed", lines: () => without(12), found: ["truncated"] },
  { what: "the signed first entry removed", lines: () => without(1), found: ["missing"] },
  {
    what: "two entries swapped",
    lines: () => {
      const lines = [...body];
      const [one, two] = [lineOf(6), lineOf(7)];
      [lines[one], lines[two]] = [lines[two]!, lines[one]!];
      return lines;
    },
    found: ["reordered"],
  },
  {
    what: "an entry twice",
    lines: () => body.toSpliced(lineOf(6), 0, body[lineOf(6)]!),
    found: ["reordered"],
  },
  {
    what: "an entry changed, and all hashes after it made anew",
    lines: () => rehashed(6, "detail 6", "detail 7"),
    found: ["changed"],
  },
  {
    what: "another tenant in the header",
    lines: () => body.with(0, body[0]!.replace('"tenant":"default"', '"tenant":"other"')),
    found: ["wrong-header", "bad-signature"],
  },
  {
    what: "no public keys in the header",
    lines: () => body.with(0, body[0]!.replace(/"publicKeys":{[^}]*}/, '"publicKeys":{}')),
    found: ["unknown-key"],
  },
  {
    what: "another key under the id of the one that signed",
    lines: () => {
      const other = Object.values(memoryKeys().publicKeys())[0]!;
      const own = Object.values(keys.publicKeys())[0]!;
      return body.with(0, body[0]!.replace(own, other));
    },
    found: ["wrong-header", "unknown-key"],
  },
  {
    what: "a signature of another checkpoint",
    lines: () => {
      const [, one = "", two = ""] = [...body.join("\n").matchAll(/"signature":"([^"]+)"/g)].map(
        ([, text]) => text,
      );
      return body.map((line) => line.replace(two, one));
    },
    found: ["bad-signature"],
  },
];

/** Changes an entry and links everything behind it again, as somebody with the file and without the key can. */
function rehashed(from: number, text: string, replacement: string): string[] {
  let hash = "";
  return body.map((line) => {
    const { entry } = JSON.parse(line);
    if (!entry) return line;
    const content = entry.sequence === from ? entry.content.replace(text, replacement) : entry.content;
    hash = entryHash(hash, content);
    return JSON.stringify({ entry: { ...entry, content, hash } });
  });
}

for (const { what, lines, found } of forgeries) {
  test(`a forged file is found even if its end fits: ${what}`, async () => {
    const kinds = kindsOf(await verifyChain(await withEnd(lines())));
    for (const kind of found)
      assert.ok(kinds.includes(kind), `${kind} is not among ${kinds.join() || "none"}`);
  });
}

test("a file cut back to an older signature is found by a checkpoint that was kept", async () => {
  const { entries } = sampleChain(12, signed, keys);
  const older = await withEnd(file.slice(0, 1 + 9 + 2));
  assert.equal((await verifyChain(older)).isIntact, true);
  const known = { sequence: 12, hash: entries[11]!.hash };
  assert.deepEqual(kindsOf(await verifyChain(older, { known })), ["truncated"]);
  assert.equal((await verifyChain(file, { known })).isIntact, true);
  assert.deepEqual(kindsOf(await verifyChain(file, { known: { sequence: 7, hash: "other" } })), ["changed"]);
});

test("a chain forged from its beginning has keys of its own: they are not the trusted ones", async () => {
  const forged = sampleFile(12, signed, memoryKeys());
  assert.equal((await verifyChain(forged)).isIntact, true);
  const trustedKeys = [keys.signing().keyId];
  assert.deepEqual(kindsOf(await verifyChain(forged, { trustedKeys })), ["unknown-key"]);
  assert.equal((await verifyChain(file, { trustedKeys })).isIntact, true);
});

test("another chain than the one that is asked for is a wrong header", async () => {
  assert.deepEqual(kindsOf(await verifyChain(file, { service: "vault" })), ["wrong-header"]);
  assert.deepEqual(kindsOf(await verifyChain(file, { tenant: "acme" })), ["wrong-header"]);
});

test("findings are bounded, and all are counted", async () => {
  const lines = await withEnd([body[0]!, ...Array.from({ length: 3000 }, () => "no line")]);
  const result = await verifyChain(lines);
  assert.equal(result.findings.length, 1000);
  assert.ok(result.findingCount >= 3000);
  const leap = JSON.stringify({ entry: { sequence: 2 ** 52, name: "", content: "{}", hash: "" } });
  assert.equal((await verifyChain([body[0]!, leap])).isIntact, false);
});

test("a signature is checked to its last bit", () => {
  const place = { service: "s", tenant: "t", sequence: 3, hash: "h", time: 5 };
  const { keyId, signature } = signHead({ ...place, name: "", content: "" }, place.time, keys);
  const text = keys.publicKeys()[keyId]!;
  assert.equal(keyIdOf(text), keyId);
  const key = publicKeyOf(text)!;
  assert.equal(isSignedPlace(place, signature, key), true);
  for (const change of [{ service: "x" }, { tenant: "x" }, { sequence: 4 }, { hash: "x" }, { time: 6 }])
    assert.equal(isSignedPlace({ ...place, ...change }, signature, key), false);
  assert.equal(isSignedPlace(place, `${signature}=`, key), false);
  assert.equal(publicKeyOf("short"), undefined);
});
