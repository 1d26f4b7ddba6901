// The parser of List filters against the sentences of AIP-160, its errors with their columns, and its limits.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { RpcError } from "../base/rpc-error.ts";
import { FILTER_DEPTH_MAX, FILTER_LENGTH_MAX, FILTER_TERMS_MAX, parseListFilter } from "./list-filter.ts";
import type { FilterNode } from "./list-filter-fields.ts";

/** A tree in one line, so that a row of a table shows how a filter was understood. */
function show(node: FilterNode | null): string {
  if (node === null) return "all";
  switch (node.kind) {
    case "and":
    case "or":
      return `(${node.nodes.map(show).join(` ${node.kind} `)})`;
    case "not":
      return `not ${show(node.node)}`;
    case "text":
      return `${node.field} ${node.operator} ${showPattern(node.pattern)}`;
    case "label":
      return `label ${node.key} ${node.operator} ${showPattern(node.pattern)}`;
    case "hasLabel":
      return `has ${node.key ?? "any label"}`;
    case "done":
      return node.value ? "done" : "undone";
    case "state":
      return node.state;
    case "time":
      return `${node.field} ${node.operator} ${node.instant}`;
    case "priority":
      return `priority ${node.operator} ${node.value}`;
    case "parents":
      return `child of ${node.name ?? "any"}`;
    case "held":
      return node.value ? "held" : "not held";
    case "cancelled":
      return "cancelled";
    case "always":
      return "always";
  }
}

function showPattern({
  text,
  openStart,
  openEnd,
}: {
  text: string;
  openStart: boolean;
  openEnd: boolean;
}): string {
  return `${openStart ? "*" : ""}'${text}'${openEnd ? "*" : ""}`;
}

const understood: readonly [filter: string, tree: string][] = [
  ["", "all"],
  ["  \t\n ", "all"],
  ["done=true", "done"],
  ["done = false", "undone"],
  ["done != true", "undone"],
  ["done:*", "done"],
  ["state=RUNNING", "RUNNING"],
  ["priority>=10", "priority >= 10"],
  ["priority:-5", "priority = -5"],
  ["priority:*", "priority != 0"],
  ["parents:operations/opr0", "child of operations/opr0"],
  ["parents:*", "child of any"],
  ["concurrency_key=repo/*", "concurrency_key = 'repo/'*"],
  ["concurrencyKey:*", "concurrency_key != ''"],
  ["supersede_key:x", "supersede_key = 'x'"],
  ["rerun_of=operations/opr0", "rerun_of = 'operations/opr0'"],
  ["worker=ses1", "worker = 'ses1'"],
  ["session:*", "worker != ''"],
  ["cancel.cause=parent", "(cancelled and cancel_cause = 'parent')"],
  ["cancellation.cause!=cancel", "(cancelled and cancel_cause != 'cancel')"],
  ["cancel:*", "cancelled"],
  ["held=true", "held"],
  ["held!=true", "not held"],
  ["state != FAILED", "not FAILED"],
  ["state:*", "always"],
  ['type = "ocr.recognize"', "type = 'ocr.recognize'"],
  ["type=ocr.recognize", "type = 'ocr.recognize'"],
  ["type:ocr.recognize", "type = 'ocr.recognize'"],
  ["name = operations/opr0", "name = 'operations/opr0'"],
  ["createdBy = 'user:ada'", "created_by = 'user:ada'"],
  ["created_by=user:ada", "created_by = 'user:ada'"],
  ["created_by:*", "created_by != ''"],
  ["type = ocr.*", "type = 'ocr.'*"],
  ["type = *.recognize", "type = *'.recognize'"],
  ['type = "*cog*"', "type = *'cog'*"],
  ["type = *", "type = *''*"],
  ["type = **", "type = *''*"],
  ["type != ocr.*", "type != 'ocr.'*"],
  // An escaped star is a star.
  ['type = "ocr\\*"', "type = 'ocr*'"],
  ['type = "a\\"b\\\\c"', "type = 'a\"b\\c'"],
  ["type < b", "type < 'b'"],
  ["type>=b", "type >= 'b'"],
  ["labels.env = prod", "label env = 'prod'"],
  ["labels.env:prod", "label env = 'prod'"],
  ["labels.env != prod", "label env != 'prod'"],
  ["labels.env:*", "has env"],
  ["labels:env", "has env"],
  ["labels:*", "has any label"],
  ['labels."a.b" = c', "label a.b = 'c'"],
  ["labels.my-key=x", "label my-key = 'x'"],
  ["create_time > 1970-01-01T00:00:01Z", "create_time > 1000000"],
  ['updateTime <= "1970-01-01T00:00:01.5+00:00"', "update_time <= 1500000"],
  // 30 minutes west of UTC is half an hour later.
  ["create_time = 1970-01-01T00:00:00-00:30", "create_time = 1800000000"],
  // Between two microseconds: no stored instant is equal to it.
  ["create_time > 1970-01-01T00:00:00.000001999Z", "create_time > 1.5"],
  ["create_time:*", "always"],
  // AIP-160: "OR has higher precedence than AND".
  ["done=true AND type=a OR type=b", "(done and (type = 'a' or type = 'b'))"],
  // "A sequence of terms": side by side is AND.
  ["done=true type=a OR type=b", "(done and (type = 'a' or type = 'b'))"],
  ["(done=true AND type=a) OR type=b", "((done and type = 'a') or type = 'b')"],
  // "-" and NOT are the same.
  ["-done=true", "not done"],
  ["NOT done=true AND type=a", "(not done and type = 'a')"],
  ["NOT (done=true OR type=a)", "not (done or type = 'a')"],
  ["NOT(done=true)", "not done"],
  ["-(done=true)", "not done"],
  ["( ( done = true ) )", "done"],
  // A keyword is a value where a value stands.
  ["type=AND", "type = 'AND'"],
  ["type = OR OR type = NOT", "(type = 'OR' or type = 'NOT')"],
];

for (const [filter, tree] of understood) {
  test(`filter ${JSON.stringify(filter)} is understood as ${tree}`, () => {
    assert.equal(show(parseListFilter(filter)), tree);
  });
}

const refused: readonly [filter: string, column: number, problem: RegExp][] = [
  ["x=1", 1, /field x is unknown/],
  ["done=true AND y=1", 15, /field y is unknown/],
  ["done=maybe", 6, /true or false/],
  ["done=True", 6, /true or false/],
  ["done>true", 1, /takes = and !=/],
  ["state=running", 7, /one of PENDING/],
  ["state=RUN*", 7, /no wildcard/],
  ["state<RUNNING", 1, /takes = and !=/],
  ["create_time=yesterday", 13, /RFC 3339/],
  ["create_time=2026-02-30T00:00:00Z", 13, /RFC 3339/],
  ["create_time=2026-01-01T24:00:00Z", 13, /RFC 3339/],
  ["create_time=2026-01-01T00:00:00", 13, /RFC 3339/],
  ["create_time=2026-01-01T00:00:00.Z", 13, /RFC 3339/],
  ["create_time=2026-01-01T00:00:00.1234567890Z", 13, /RFC 3339/],
  ["create_time=2026-01-01T00:00:00+0100", 13, /RFC 3339/],
  ["create_time=2026-01-01*", 13, /no wildcard/],
  ["type=a*b", 6, /wildcard/],
  ["type=***", 6, /wildcard/],
  ["type<a*", 6, /wildcard/],
  ["name.x=1", 1, /has no fields/],
  ["labels=x", 1, /has operator/],
  ["labels.a.b=c", 1, /quoted/],
  ["labels.=c", 8, /key is expected/],
  ["done", 5, /is expected/],
  ["done=", 6, /value is expected/],
  ["=true", 1, /field is expected/],
  ["(done=true", 11, /\) is missing/],
  ["done=true)", 10, /without its \(/],
  ["()", 2, /field is expected/],
  ["done=true AND", 14, /field is expected/],
  ["AND done=true", 1, /is expected/],
  ["done=true and type=a", 15, /is expected/],
  ["done=true OR", 13, /field is expected/],
  ["NOT", 4, /field is expected/],
  ["NOT NOT done=true", 5, /is expected/],
  ["type=f(x)", 7, /quoted/],
  ['type="a', 6, /not closed/],
  ['type="a\\', 6, /not closed/],
  ['type="a\u0000b"', 8, /control character/],
  ["type=a\u0007", 7, /quoted/],
  ['type="a"b', 9, /space is expected/],
  ["type=(a)", 6, /quoted/],
  ["prod", 5, /is expected/],
];

for (const [filter, column, problem] of refused) {
  test(`filter ${JSON.stringify(filter)} is refused at column ${column}`, () => {
    assert.throws(
      () => parseListFilter(filter),
      (error) => {
        assert(error instanceof RpcError);
        assert.equal(error.reason, "INVALID_FILTER");
        assert.match(error.message, problem);
        assert.equal(error.parameters["column"], column);
        return true;
      },
    );
  });
}

test("a filter may be as long as its limit, and no longer", () => {
  const filter = 'type="'.padEnd(FILTER_LENGTH_MAX - 1, "x");
  assert(parseListFilter(`${filter}"`));
  assert.throws(() => parseListFilter(`${filter}x"`), { reason: "INVALID_FILTER" });
});

test("a filter may have as many terms as their limit, and no more", () => {
  const terms = Array.from({ length: FILTER_TERMS_MAX }, () => "done=true");
  assert(parseListFilter(terms.join(" ")));
  assert.throws(() => parseListFilter([...terms, "done=true"].join(" OR ")), { reason: "INVALID_FILTER" });
});

test("a filter may be nested as deep as its limit, and no deeper", () => {
  const nested = (depth: number): string => `${"(".repeat(depth)}done=true${")".repeat(depth)}`;
  assert(parseListFilter(nested(FILTER_DEPTH_MAX)));
  assert.throws(() => parseListFilter(nested(FILTER_DEPTH_MAX + 1)), { reason: "INVALID_FILTER" });
});

test("any text is either understood or refused with INVALID_FILTER", () => {
  const words = [
    "done",
    "labels",
    ".",
    "=",
    ":",
    "<=",
    "(",
    ")",
    "-",
    "NOT ",
    " AND ",
    " OR ",
    "*",
    '"',
    "\\",
    "true",
    " ",
  ];
  const texts = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom(...words), { maxLength: 30 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        parseListFilter(text);
      } catch (error) {
        assert(error instanceof RpcError && error.reason === "INVALID_FILTER", String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

test("a quoted value comes back as it was written", () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      fc.pre(![...value].some((char) => char < " " || char === "\u007f"));
      const quoted = value.replaceAll(/["\\*]/g, (char) => `\\${char}`);
      fc.pre(quoted.length < 1900);
      const node = parseListFilter(`type = "${quoted}"`);
      assert.deepEqual(node, {
        kind: "text",
        field: "type",
        operator: "=",
        pattern: { text: value, openStart: false, openEnd: false },
      });
    }),
  );
});
