// Both handlers on a small archive; only the context is made by hand. The counts that are expected were found in the same
// bytes by Python's packages mailbox and email.
import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { FieldViolation, JsonObject } from "belayd/worker";
import { RecordedContext } from "../recorded-context.fixture.ts";
import { archiveRate } from "./archive.ts";
import type { MailboxCount } from "./archive-count.ts";
import { checkArtifactsRequest } from "./artifacts-request.ts";
import { handler } from "./count.ts";
import { handler as countArtifacts } from "./count-artifacts.ts";
import { checkCountRequest } from "./count-request.ts";
import { makeCorpus, people } from "./make-corpus.ts";

const BYTES = 800_000;
let archive = "";

before(async () => {
  archive = await mkdtemp(join(tmpdir(), "belay-archive-"));
  await makeCorpus(archive, { bytes: BYTES, signal: new AbortController().signal });
  process.env["VAULT_ARCHIVE"] = archive;
  process.env["VAULT_COUNT_RATE"] = "0";
});

after(() => rm(archive, { recursive: true }));

const rows: readonly [input: JsonObject, matches: number][] = [
  [{}, 210],
  [{ terms: "merger" }, 11],
  [{ terms: "invoice" }, 15],
  [{ terms: "zürich" }, 5],
  [{ terms: "friday*" }, 161],
  [{ terms: "filename:sheet*" }, 20],
  [{ from: "ada@example.com" }, 21],
  [{ terms: "label:drafts" }, 8],
  [{ terms: "subject:merger -invoice" }, 11],
  [{ terms: "merger", startTime: "2025-01-01" }, 0],
];

for (const [input, matches] of rows) {
  test(`${JSON.stringify(input)} matches ${matches} messages`, async () => {
    const { context } = new RecordedContext();
    const response = await handler(context, input);
    assert.deepEqual([response["matches"], response["messages"], response["undated"]], [matches, 210, 0]);
  });
}

test("one mailbox is counted alone, and progress goes up to all of its bytes", async () => {
  const { context, progress, checkpoints } = new RecordedContext();
  const response = await handler(context, { mailbox: "hugo@example.com", ratePerSecond: 0 });
  const [count] = response["mailboxes"] as MailboxCount[];
  assert.equal(count?.mailbox, "hugo@example.com");
  assert.equal(response["bytes"], count?.bytes);
  assert.equal(progress.at(-1)?.[0], 100);
  assert.deepEqual(checkpoints.at(-1), {
    matches: response["matches"],
    bytes: count?.bytes,
    ofBytes: count?.bytes,
    mailboxes: [count],
  });
});

test("the odd mailbox is counted, and a message without a date is in no span of time", async (t) => {
  t.after(() => rm(join(archive, "odd-cases.mbox")));
  await copyFile(
    fileURLToPath(new URL("./odd-cases.mbox", import.meta.url)),
    join(archive, "odd-cases.mbox"),
  );
  const odd: readonly [input: JsonObject, matches: number][] = [
    [{}, 8],
    [{ startTime: "1970-01-01" }, 7],
    [{ startTime: "2026-03-02T10:00:00Z", endTime: "2026-03-03T08:00:00Z" }, 2],
    [{ startTime: "2026-03-02T11:00:00.5+01:00", endTime: "2026-03-02T11:00:00.001000000Z" }, 1],
    [{ terms: "kindling" }, 1],
    [{ terms: "отчёт" }, 1],
    [{ terms: "middleware" }, 1],
    [{ terms: "preambleword OR epilogueword OR scriptword OR attributeword OR secretword" }, 0],
    [{ terms: "plainword htmlword forwardedbody filename:4711.pdf" }, 1],
  ];
  for (const [input, matches] of odd) {
    const { context } = new RecordedContext();
    const response = await handler(context, { mailbox: "odd-cases", ...input });
    assert.equal(response["matches"], matches, JSON.stringify(input));
  }
});

test("a count that was interrupted goes on behind its checkpoint and ends with the same numbers", async () => {
  const whole = await handler(new RecordedContext().context, { terms: "friday" });
  const controller = new AbortController();
  const first = new RecordedContext({ signal: controller.signal });
  const store = first.context.checkpoint;
  first.context.checkpoint = async (state) => {
    await store(state);
    controller.abort(new Error("stop"));
  };
  await assert.rejects(handler(first.context, { terms: "friday", ratePerSecond: 500_000 }));
  const [checkpoint = null] = first.checkpoints;
  const { bytes, matches } = checkpoint as { bytes: number; matches: number };
  assert.ok(bytes > 100_000 && bytes < BYTES, `${bytes} bytes`);
  assert.ok(matches > 0 && matches < Number(whole["matches"]));
  assert.equal(first.checkpoints.length, 1);

  const second = new RecordedContext({ checkpointed: checkpoint });
  assert.deepEqual(await handler(second.context, { terms: "friday" }), whole);
  const [[percent] = [0]] = second.progress;
  assert.ok(percent > (99 * bytes) / BYTES, `began at ${percent} %`);
});

test("an abort ends the pause between two reads at once, with the abort as its cause", async () => {
  const reason = new Error("stop");
  const controller = new AbortController();
  const { context } = new RecordedContext({ signal: controller.signal });
  let chunks = 0;
  context.progress = () => {
    chunks++;
    // Behind the first chunk it waits for a whole second.
    setImmediate(() => controller.abort(reason));
  };
  const begin = performance.now();
  await assert.rejects(handler(context, { ratePerSecond: 4_096 }), (error) => {
    return error === reason || (error instanceof Error && error.cause === reason);
  });
  const tookMs = performance.now() - begin;
  assert.equal(chunks, 1);
  assert.ok(tookMs < 500, `took ${tookMs} ms`);
});

test("no more bytes are read in a second than the rate says", async () => {
  const begin = performance.now();
  const response = await handler(new RecordedContext().context, {
    mailbox: "ada@example.com",
    ratePerSecond: 200_000,
  });
  const tookMs = performance.now() - begin;
  const least = (1_000 * Number(response["bytes"])) / 200_000;
  assert.ok(tookMs >= least - 5 && tookMs < least + 1_000, `took ${tookMs} ms, not ${least}`);
});

test("the archive's rate is that of VAULT_COUNT_RATE, and a wrong one is refused", (t) => {
  t.after(() => {
    process.env["VAULT_COUNT_RATE"] = "0";
  });
  process.env["VAULT_COUNT_RATE"] = "250000";
  assert.equal(archiveRate(), 250_000);
  for (const rate of ["", "-1", "1e6", "fast"]) {
    process.env["VAULT_COUNT_RATE"] = rate;
    assert.throws(archiveRate, { name: "TypeError", message: /is not a whole number of bytes per second$/ });
  }
  delete process.env["VAULT_COUNT_RATE"];
  assert.equal(archiveRate(), 1_000_000);
});

test("a payload that vault.count cannot take is refused", async () => {
  const wrong: readonly [input: JsonObject, code: number, message: RegExp][] = [
    [
      { mailbox: "zoe@example.com" },
      5,
      /^there is no mailbox "zoe@example.com"; there are: ada@example.com, /,
    ],
    [{ mailbox: "../ada@example.com" }, 5, /^there is no mailbox/],
    [{ mailbox: 1 }, 3, /^mailbox 1 is no text$/],
    [{ term: "merger" }, 3, /^the payload has a field "term" that is not served here; served are: mailbox, /],
    [{ terms: ["merger"] }, 3, /^terms \["merger"\] is no text$/],
    [{ terms: "(" }, 3, /^the terms have/],
    [{ startTime: "yesterday" }, 3, /^startTime "yesterday" is no time such as/],
    [{ endTime: "2026-02-31T00:00:00Z " }, 3, /^endTime/],
    [{ startTime: "2026-03-02", endTime: "2026-03-02" }, 3, /is not before endTime/],
    [{ ratePerSecond: -1 }, 3, /^ratePerSecond -1 is not a whole number of bytes$/],
    [{ ratePerSecond: 1.5 }, 3, /^ratePerSecond/],
    [{ ratePerSecond: "1" }, 3, /^ratePerSecond/],
  ];
  for (const [input, code, message] of wrong) {
    await assert.rejects(
      handler(new RecordedContext().context, input),
      { code, message },
      JSON.stringify(input),
    );
    // Which mailboxes there are, only the work finds out.
    const told = checkCountRequest(input).filter(({ description }) => message.test(description));
    assert.equal(told.length, code === 3 ? 1 : 0, JSON.stringify(input));
  }
});

const mail = { corpus: "MAIL" };

test("a count request is answered in the shape of CountArtifactsResponse", async () => {
  const emails = ["ada@example.com", "Ben@example.com", "zoe@example.com"];
  const query = {
    ...mail,
    dataScope: "ALL_DATA",
    method: "ACCOUNT",
    accountInfo: { emails },
    terms: "friday",
  };
  const total = await countArtifacts(new RecordedContext().context, {
    matterId: "m1",
    query,
    view: "TOTAL_COUNT",
  });
  const all = await countArtifacts(new RecordedContext().context, { matterId: "m1", query, view: "ALL" });
  const counted = await handler(new RecordedContext().context, { terms: "friday" });
  const [ada, ben] = (counted["mailboxes"] as MailboxCount[]).map(({ matches }) => matches);
  const mailCountResult = {
    queriedAccountsCount: "3",
    matchingAccountsCount: "2",
    accountCountErrors: [{ account: { email: "zoe@example.com" }, errorType: "UNKNOWN" }],
  };
  const totalCount = String(ada! + ben!);
  assert.deepEqual(total, { totalCount, mailCountResult });
  const accountCounts = [
    { account: { email: "ada@example.com" }, count: String(ada) },
    { account: { email: "ben@example.com" }, count: String(ben) },
  ];
  assert.deepEqual(all, { totalCount, mailCountResult: { ...mailCountResult, accountCounts } });
});

test("a count request without accounts is for the whole archive, with or without drafts", async () => {
  const count = async (query: JsonObject): Promise<unknown> =>
    (await countArtifacts(new RecordedContext().context, { matterId: "m1", query }))["totalCount"];
  assert.equal(await count(mail), "210");
  assert.equal(await count({ ...mail, searchMethod: "ENTIRE_ORG", terms: "", startTime: null }), "210");
  assert.equal(await count({ ...mail, mailOptions: { excludeDrafts: true } }), "202");
  const { context } = new RecordedContext();
  const { mailCountResult } = await countArtifacts(context, { matterId: "m1", query: mail });
  assert.deepEqual(mailCountResult, {
    queriedAccountsCount: String(people.length),
    matchingAccountsCount: String(people.length),
    accountCountErrors: [],
  });
});

test("a count request that cannot be served is refused, and why", async () => {
  const wrong: readonly [input: JsonObject, message: RegExp][] = [
    [{ query: mail }, /^the request names no matter$/],
    [{ matterId: "m1" }, /^the query names no corpus; served is: MAIL$/],
    [{ matterId: "m1", query: { corpus: "DRIVE" } }, /^corpus "DRIVE" is not served here; served are: MAIL$/],
    [
      { matterId: "m1", query: { ...mail, dataScope: "HELD_DATA" } },
      /^dataScope "HELD_DATA" is not served here/,
    ],
    [{ matterId: "m1", query: { ...mail, method: "ORG_UNIT" } }, /^method "ORG_UNIT" is not served here/],
    [{ matterId: "m1", query: { ...mail, method: "ACCOUNT" } }, /accountInfo.emails names none$/],
    [{ matterId: "m1", query: { ...mail, accountInfo: { emails: "ada" } } }, /is no list of addresses$/],
    [
      { matterId: "m1", query: { ...mail, driveOptions: {} } },
      /^the query has a field "driveOptions" that is not/,
    ],
    [{ matterId: "m1", query: mail, view: "SOME" }, /^view "SOME" is not served here/],
  ];
  for (const [input, message] of wrong) {
    await assert.rejects(
      countArtifacts(new RecordedContext().context, input),
      { code: 3, message },
      JSON.stringify(input),
    );
    const told = checkArtifactsRequest(input).filter(({ description }) => message.test(description));
    assert.equal(told.length, 1, JSON.stringify(input));
  }
});

test("before a start, all that is wrong with a request is told by its field", () => {
  const fieldsOf = (violations: readonly FieldViolation[]): string[] => violations.map(({ field }) => field);
  assert.deepEqual(checkCountRequest({ terms: "friday", startTime: "2024-03-01" }), []);
  assert.deepEqual(fieldsOf(checkCountRequest({ x: 1, terms: "(", from: 2, endTime: "soon" })), [
    "",
    "terms",
    "from",
    "endTime",
  ]);
  assert.deepEqual(fieldsOf(checkCountRequest({ startTime: "2024-03-02", endTime: "2024-03-01" })), [
    "endTime",
  ]);
  assert.deepEqual(checkArtifactsRequest({ matterId: "m1", query: mail }), []);
  assert.deepEqual(fieldsOf(checkArtifactsRequest({})), ["matter_id", "query.corpus"]);
  assert.deepEqual(fieldsOf(checkArtifactsRequest({ matterId: "m1", query: [] })), ["query"]);
  const query = {
    ...mail,
    terms: "a OR",
    mailOptions: { x: 1 },
    startTime: "2024-03-02",
    endTime: "2024-03-01",
  };
  assert.deepEqual(fieldsOf(checkArtifactsRequest({ matterId: "m1", query })), [
    "query.mailOptions",
    "query.terms",
    "query.endTime",
  ]);
});
