// ExportReceipts from outside, on both transports: page by page it is one whole chain, signed to its end, and a copy with a
// change in it is found out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { type ChainPage, chainFile, wholeChain } from "../../../src/engine/receipts/chain-export.ts";
import { type Verification, verifyChain } from "../../../src/engine/receipts/verify-chain.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { listOf, type Transport, transports } from "./native-calls.ts";
import { type NativeStage, startNativeStage } from "./native-stage.ts";

let stage: NativeStage;
before(async () => {
  stage = await startNativeStage();
});
after(() => stage.close());

const place = { service: "default", tenant: "default" };

/** All entries, as they stand now. */
async function entriesOf(transport: Transport): Promise<ChainPage["entries"][number][]> {
  const entries: ChainPage["entries"][number][] = [];
  for (let after = 0; ; ) {
    const page = await exportPage(transport, after);
    entries.push(...page.entries);
    if (page.nextAfter === 0) return entries;
    after = page.nextAfter;
  }
}

const verify = (
  transport: Transport,
  change: (page: ChainPage) => ChainPage = (page) => page,
): Promise<Verification> => {
  const readPage = async (after: number): Promise<ChainPage> => change(await exportPage(transport, after));
  return verifyChain(chainFile({ ...place, ...wholeChain }, readPage), place);
};

for (const transport of transports) {
  test(`${transport}: the chain is whole and signed, and holds who asked for whom, not by name`, async () => {
    const names = await Promise.all([1, 2, 3].map(() => stage.start("test.parked")));
    for (const name of names) await stage.ok(`${name}:cancel`, { reason: "no more", onBehalfOf: "user:bob" });
    await eventually("the cancels are chained", async () => {
      const chained = new Set((await entriesOf(transport)).map(({ name }) => name));
      return names.every((name) => chained.has(name));
    });
    const found = await verify(transport);
    assert.deepEqual([found.isIntact, found.findings, found.signed], [true, [], found.head]);
    assert.ok(found.entries > 3, `${found.entries} entries: more than one page`);
    const [asked] = (await entriesOf(transport)).filter(({ name }) => name === names[0]);
    assert.match(asked?.content ?? "", /"detail":"no more".*"onBehalfOf":"[\w-]{43}"/);
    assert.ok(!asked?.content.includes("user:bob"), "people are hashed");
  });

  test(`${transport}: a word that is changed in a copy breaks it`, async () => {
    const found = await verify(transport, (page) => ({
      ...page,
      entries: page.entries.map((entry) => ({
        ...entry,
        content: entry.content.replace("no more", "no less"),
      })),
    }));
    assert.equal(found.isIntact, false);
    assert.ok(found.findings.every(({ kind }) => kind === "changed"));
  });
}

/** A page of three entries as the verifier takes it. */
async function exportPage(transport: Transport, after: number): Promise<ChainPage> {
  const json: JsonObject = await stage.must(transport, "exportReceipts", { after, pageSize: 3 });
  return {
    entries: listOf(json, "entries").map((entry) => ({
      ...place,
      sequence: Number(entry["sequence"]),
      name: String(entry["name"]),
      content: String(entry["content"]),
      hash: String(entry["hash"]),
    })),
    checkpoints: listOf(json, "checkpoints").map((checkpoint) => ({
      ...place,
      sequence: Number(checkpoint["sequence"]),
      hash: String(checkpoint["hash"]),
      time: microsOf(String(checkpoint["time"])),
      keyId: String(checkpoint["keyId"]),
      signature: String(checkpoint["signature"]),
    })),
    publicKeys: (json["publicKeys"] ?? {}) as Record<string, string>,
    nextAfter: Number(json["nextAfter"] ?? 0),
  };
}

/** Microseconds of a timestamp in RFC 3339. */
function microsOf(text: string): number {
  const [, seconds = "", fraction = ""] = /^(.*?)(?:\.(\d+))?Z$/.exec(text) ?? [];
  return Date.parse(`${seconds}Z`) * 1000 + Number(fraction.padEnd(6, "0"));
}
