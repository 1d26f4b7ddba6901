// What filters match: every field and operator over a fixed set of operations, and against a second evaluation.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { World } from "./store-harness.ts";

/** One letter each: pending, running, succeeded, failed, cancelled. */
async function fiveOperations(w: World): Promise<Map<string, string>> {
  const labels: Record<string, Record<string, string>> = {
    p: { env: "prod", team: "ocr" },
    r: { env: "dev" },
    s: { env: "prod", size: "" },
    f: {},
    c: { "dotted.key": "x", env: "pre*" },
  };
  const names = new Map<string, string>();
  await w.run(w.openSession());
  for (const letter of "rsfcp") {
    const start = w.start({
      labels: labels[letter] ?? {},
      operationType: `${w.type}.${letter}`,
      createdBy: letter === "f" ? "" : `user:${letter}`,
      priority: { p: 5, r: -5 }[letter] ?? 0,
      concurrencyKey: letter === "p" ? "repo/a" : "",
      supersedeKey: letter === "r" ? "latest" : "",
      rerunOf: letter === "s" ? "operations/x" : "",
    });
    names.set(start.key.name, letter);
    await w.run(start);
    w.harness.advance(1000);
    if (letter === "c") await w.run(w.cancel(start.key));
    if (letter === "c" || letter === "p") continue;
    const outcome = await w.run(w.acquire(1, { types: [`${w.type}.${letter}`] }));
    assert(outcome.type === "granted" && outcome.grants[0]);
    if (letter === "s") await w.run(w.complete(outcome.grants[0]));
    if (letter === "f") await w.run(w.fail(outcome.grants[0]));
  }
  return names;
}

const cases: readonly [filter: string, matches: string][] = [
  ["", "cfprs"],
  ["done=true", "cfs"],
  ["done=false", "pr"],
  ["done!=false", "cfs"],
  ["NOT done=true", "pr"],
  ["state=PENDING", "p"],
  ["state=RUNNING", "r"],
  ["state=SUCCEEDED", "s"],
  ["state=FAILED OR state=CANCELLED", "cf"],
  ["state!=CANCELLED", "fprs"],
  ["state=RUNNING OR state=PENDING", "pr"],
  ["state=RUNNING OR done=true", "cfrs"],
  ["done=false AND labels.env=prod", "p"],
  ["labels.env=prod", "ps"],
  // A label that is missing matches nothing, not even "not equal" (AIP-160).
  ["labels.env!=prod", "cr"],
  ["NOT labels.env=prod", "cfr"],
  ["labels.env:*", "cprs"],
  ["-labels.env:*", "f"],
  ["labels:team", "p"],
  ["labels:*", "cprs"],
  ["labels.size:*", "s"],
  ['labels.size=""', "s"],
  ['labels."dotted.key"=x', "c"],
  ["labels.env=p*", "cps"],
  ["labels.env=*d", "ps"],
  ["labels.env=*e*", "cr"],
  ['labels.env="pre\\*"', "c"],
  ["labels.env>dev", "cps"],
  ["labels.env<=dev", "r"],
  ["created_by=user:s", "s"],
  ["created_by:*", "cprs"],
  ['created_by=""', "f"],
  ["created_by=*:p OR created_by=*:r", "pr"],
  ["priority>0", "p"],
  ["priority<=-5", "r"],
  ["priority=0", "cfs"],
  ["priority:*", "pr"],
  ["concurrency_key=repo/*", "p"],
  ["concurrencyKey:*", "p"],
  ["supersede_key=latest", "r"],
  ["rerun_of:operations/x", "s"],
  ["-rerun_of:*", "cfpr"],
  ["worker:*", "r"],
  ['worker=""', "cfps"],
  ["session=no-such-session", ""],
  ["held=true", ""],
  ["held=false", "cfprs"],
  ["parents:*", ""],
  ["parents:operations/none", ""],
  ["cancel:*", "c"],
  ["cancel.cause=cancel", "c"],
  // An operation without a cancel matches nothing, not even "not equal".
  ["cancellation.cause!=cancel", ""],
  ["cancel.cause!=deadline", "c"],
  ["labels.env=prod done=true", "s"],
  ["done=true labels.env=prod OR labels.env=dev", "s"],
  ["(done=true labels.env=prod) OR labels.env=dev", "rs"],
  ["create_time>2000-01-01T00:00:00Z", "cfprs"],
  ["create_time<2000-01-01T00:00:00+14:00", ""],
  ["update_time:*", "cfprs"],
  // Nothing of a value is ever SQL, nor a pattern.
  ['created_by="\' OR 1=1 --"', ""],
  ["created_by=%", ""],
  ["created_by=user:_", ""],
  ["created_by=USER:S", ""],
  ["name=*", "cfprs"],
  ["name=operations/*", "cfprs"],
  ["name!=operations/*", ""],
  ["name=*zz-no-such-end", ""],
];

export function exerciseFilters(world: () => World): void {
  test("every filter of the table matches the operations written beside it", async () => {
    const w = world();
    const letters = await fiveOperations(w);
    for (const [filter, matches] of cases) {
      const found = await w.names({ filter, pageSize: 2 });
      assert.equal(
        found
          .map((name) => letters.get(name))
          .sort()
          .join(""),
        matches,
        filter,
      );
    }
    assert.deepEqual(
      (await w.names({ filter: `type=${w.type}.p OR type=*.c` })).map((name) => letters.get(name)).sort(),
      ["c", "p"],
    );
  });

  test("times are compared to the microsecond, in any offset", async () => {
    const w = world();
    const { createTime, name } = await w.started();
    const at = (micros: number): string => {
      const text = new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1);
      return `${text}${String(micros % 1000).padStart(3, "0")}`;
    };
    const matching = [
      `create_time="${at(createTime)}Z"`,
      `create_time>=${at(createTime)}Z`,
      `create_time>${at(createTime - 1)}Z`,
      `create_time<${at(createTime + 1)}+00:00`,
      `create_time<=${at(createTime + 3_600_000_000)}+01:00`,
      `create_time>=${at(createTime - 3_600_000_000)}-01:00`,
      `create_time!=${at(createTime + 1)}Z`,
      // Half a microsecond later is later, and equal to nothing.
      `create_time<${at(createTime)}500Z`,
      `create_time!=${at(createTime)}500Z`,
    ];
    for (const filter of matching) {
      assert.deepEqual(await w.names({ filter }), [name], filter);
      assert.deepEqual(await w.names({ filter: `NOT ${filter}` }), [], `NOT ${filter}`);
    }
  });

  for (const filter of [
    "x=1",
    "done=1",
    "held=1",
    "priority=high",
    "parents=x",
    "cancel=x",
    "cancel.reason=x",
    "state=DONE",
    "create_time>now",
    "done=true AND",
  ]) {
    test(`the filter ${filter} is refused with INVALID_FILTER`, async () => {
      const w = world();
      await assert.rejects(w.store.listOperations(w.query({ filter })), { reason: "INVALID_FILTER" });
    });
  }

  test("filters and their negation share out what is there", async () => {
    const w = world();
    await fiveOperations(w);
    const all = await w.names();
    const terms = fc.constantFrom(...cases.map(([filter]) => filter).filter((filter) => filter !== ""));
    await fc.assert(
      fc.asyncProperty(terms, terms, fc.constantFrom("AND", "OR"), async (left, right, word) => {
        const filter = `(${left}) ${word} (${right})`;
        const matched = await w.names({ filter });
        const others = await w.names({ filter: `NOT (${filter})` });
        assert.deepEqual([...matched, ...others].sort(), [...all].sort());
        const each = [await w.names({ filter: left }), await w.names({ filter: right })].map(
          (names) => new Set(names),
        );
        const both = word === "AND" ? each[0]!.intersection(each[1]!) : each[0]!.union(each[1]!);
        assert.deepEqual([...matched].sort(), [...both].sort());
      }),
      { numRuns: 100 },
    );
  });
}
