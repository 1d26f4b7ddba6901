// Complaints about races: cancels that are lost, or win against what was done already; starts that come twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { State } from "../../src/client/client.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { readLines, stateName } from "../faults/outside.ts";
import { Library, untilCancelled } from "./library.ts";

const library = await Library.open();
const { client } = library;

const ROUNDS = 48;

test("a cancel that meets the end says OK, and then the operation has another end than was told", async (t) => {
  const verdicts = new Map<string, number>();
  const race = async (round: number): Promise<void> => {
    const operation = await client.start("page.read", { payload: { ms: 15 } });
    for (let pause = 0; pause < round % 8; pause++) await operation.get();
    const { verdict } = await operation.cancel();
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    const ended = await operation.wait();
    const isCancelled = ended.state === State.CANCELLED;
    if (verdict === "TOO_LATE_SUCCEEDED") assert.equal(ended.state, State.SUCCEEDED);
    else if (verdict === "PREVENTED_START") assert.ok(isCancelled);
    else assert.ok(isCancelled || ended.state === State.SUCCEEDED, stateName(ended.state));
    await operation.cancel({ force: true });
    assert.deepEqual(await operation.get(), ended, "the end has changed");
  };
  for (let round = 0; round < ROUNDS; round += 8) {
    await Promise.all(Array.from({ length: 8 }, (_, index) => race(round + index)));
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(verdicts)));
});

test("of many cancels at once some fail", async () => {
  const { operation } = await library.running("page.read");
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => operation.cancel({ reason: `${index}` })),
  );
  const verdicts = answers.map(({ verdict }) => verdict);
  assert.equal(verdicts.filter((verdict) => verdict === "STOPPING").length, 1);
  assert.ok(
    verdicts.every((verdict) => ["STOPPING", "ALREADY_STOPPING", "ALREADY_CANCELLED"].includes(verdict)),
  );
  await untilCancelled(operation);
  const { events } = await operation.receipt();
  assert.equal(events.filter(({ kind }) => kind === "REQUESTED").length, 1);
});

test("it was cancelled while it waited, and starts all the same", async () => {
  const file = library.file();
  const operation = await client.start("page.read", { payload: { file }, startDelayMs: 300 });
  const { verdict, operation: ended } = await operation.cancel();
  assert.equal(verdict, "PREVENTED_START");
  assert.equal(ended.cancellation?.evidence, "NEVER_STARTED");
  const later = await client.start("page.read", { startDelayMs: 400 });
  await later.result();
  assert.deepEqual(readLines(file), []);
  assert.equal((await operation.get()).attempt, 0);
});

test("it was cancelled while it waited, and keeps its place", async () => {
  const only = { concurrencyKey: "printer", keyLimit: 1 };
  const file = library.file();
  const first = await client.start("page.read", { payload: { file, ms: 60_000 }, ...only });
  await eventually("the first one runs", () => readLines(file).length > 0);
  const second = await client.start("page.read", { payload: { ms: 60_000 }, ...only });
  const third = await client.start("page.read", only);
  await second.cancel();
  await first.cancel();
  assert.deepEqual(await third.result(), {});
  await Promise.all([untilCancelled(first), untilCancelled(second)]);
});

test("the start was repeated, and now it runs twice", async () => {
  const file = library.file();
  const starts = Array.from({ length: 30 }, () =>
    client.start("page.read", { payload: { file, ms: 50 }, requestId: "only-one" }),
  );
  const names = new Set((await Promise.all(starts)).map(({ name }) => name));
  assert.equal(names.size, 1);
  const [name = ""] = names;
  await client.operation(name).result();
  assert.equal(readLines(file).filter((line) => line.startsWith("begin")).length, 1);
  await assert.rejects(client.start("page.count", { requestId: "only-one" }), {
    reason: "REQUEST_ID_REUSED",
  });
});

test("a new one takes the old one's place, and the old one runs on", async () => {
  const file = library.file();
  const old = await client.start("page.read", { payload: { file, ms: 60_000 }, supersedeKey: "report" });
  await eventually("the old one runs", () => readLines(file).length > 0);
  const next = await client.start("page.read", { supersedeKey: "report" });
  const { cancellation } = await untilCancelled(old);
  assert.equal(cancellation?.cause, "superseded");
  assert.match(cancellation?.reason ?? "", new RegExp(next.name));
  assert.deepEqual(await next.result(), {});
});

test("the parent is cancelled, and its children run on", async () => {
  const { operation, file } = await library.running("page.shelf", { children: 3 });
  await eventually(
    "all pages are read",
    () => readLines(file).filter((line) => line.startsWith("begin")).length === 3,
  );
  await operation.cancel({ reason: "the whole shelf" });
  const shelf = await untilCancelled(operation);
  assert.equal(readLines(file).filter((line) => line.startsWith("abort")).length, 3);
  const [book] = shelf.children;
  assert.equal(book?.state, State.CANCELLED);
  const { children } = await client.get(book?.name ?? "");
  assert.deepEqual(
    children.map(({ state }) => state),
    [State.CANCELLED, State.CANCELLED, State.CANCELLED],
  );
  for (const { name } of children) {
    const { cancellation, endTime } = await client.get(name);
    assert.equal(cancellation?.cause, "parent");
    assert.ok((endTime?.seconds ?? 0n) <= (shelf.endTime?.seconds ?? 0n), "the parent ends last");
  }
});
