// vault.count as the worker runs it. That the work has stopped is seen from outside: no mailbox is open any more.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readlink, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ExampleRun } from "../example-worker.fixture.ts";
import { makeCorpus } from "./make-corpus.ts";
import { operations } from "./operations.ts";

let archive = "";

before(async () => {
  archive = await realpath(await mkdtemp(join(tmpdir(), "belay-archive-")));
  await makeCorpus(archive, { bytes: 4_000_000, signal: new AbortController().signal });
  process.env["VAULT_ARCHIVE"] = archive;
  process.env["VAULT_COUNT_RATE"] = "500000";
});

after(() => rm(archive, { recursive: true }));

/** The mailboxes that this process has open, as the system tells; null where it does not. */
async function openMailboxes(): Promise<string[] | null> {
  const folder = "/proc/self/fd";
  if (!existsSync(folder)) return null;
  const links = (await readdir(folder)).map((name) => readlink(join(folder, name)).catch(() => ""));
  return (await Promise.all(links)).filter((path) => path.startsWith(archive));
}

for (const [type, input] of [
  ["vault.count", { terms: "friday" }],
  ["vault.count-artifacts", { matterId: "m1", query: { corpus: "MAIL", terms: "friday" } }],
] as const) {
  test(`a cancel of ${type} stops the reading at once and keeps what was counted`, async (t) => {
    await using run = new ExampleRun();
    await run.start(operations, { type, input });
    await run.reported("checkpoint");
    const before = await openMailboxes();
    assert.ok(before === null || before.length === 1, String(before));
    const cancelledAt = performance.now();
    run.cancel(5_000);
    const { abortCaused, evidence, mechanism } = await run.reported("fail");
    const tookMs = performance.now() - cancelledAt;
    t.diagnostic(`stopped after ${tookMs.toFixed(0)} ms`);
    assert.deepEqual(
      { abortCaused, evidence, mechanism },
      { abortCaused: true, evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" },
    );
    assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
    assert.deepEqual(await openMailboxes(), before && []);
    const { bytes, ofBytes, matches } = run.checkpoint as Record<string, number>;
    assert.ok(bytes! > 0 && bytes! < ofBytes!, `${bytes} of ${ofBytes}`);
    assert.ok(matches! > 0);
    const reports = run.reports.length;
    await delay(300);
    assert.deepEqual([run.reports.length, await openMailboxes()], [reports, before && []]);
  });
}

test("vault.count answers, and a payload that it cannot take fails with INVALID_ARGUMENT", async () => {
  await using run = new ExampleRun();
  const input = { mailbox: "ada@example.com", terms: "merger", ratePerSecond: 0 };
  await run.start(operations, { type: "vault.count", input });
  const { response } = await run.reported("complete");
  const { messages, undated } = response ?? {};
  assert.ok(Number(messages) > 50);
  assert.equal(undated, 0);

  await using wrong = new ExampleRun();
  await wrong.start(operations, { type: "vault.count", input: { terms: "(merger" } });
  const { error, retryable } = await wrong.reported("fail");
  assert.deepEqual(error, { code: 3, message: 'the terms have a "(" without its ")"' });
  assert.equal(retryable, false);
});
