import assert from "node:assert/strict";
import { test } from "node:test";
import { parseListFilter } from "../../stores/list-filter.ts";
import { quoted, translateYandexFilter } from "./yandex-filter.ts";

const translations: readonly [string, string][] = [
  ["", ""],
  ["  ", ""],
  ["done=false", "done = false"],
  ["done != true", "done != true"],
  ["created_by='John.Doe'", 'created_by = "John.Doe"'],
  ['created_by = "a\\"b*"', 'created_by = "a\\"b\\*"'],
  [
    "created_at >= 2026-01-01T00:00:00Z and done=false",
    'create_time >= "2026-01-01T00:00:00Z" AND done = false',
  ],
  ['modified_at<"2026-01-01T00:00:00.123456789Z"', 'update_time < "2026-01-01T00:00:00.123456789Z"'],
];

for (const [yandex, ours] of translations) {
  test(`${JSON.stringify(yandex)} becomes ${JSON.stringify(ours)}, which the store takes`, () => {
    assert.equal(translateYandexFilter(yandex), ours);
    parseListFilter(ours);
  });
}

const refused: readonly [string, number, RegExp][] = [
  ["done", 1, /a term such as done=false is expected/],
  ["done=false OR done=true", 12, /AND is expected between two terms/],
  ["done=false AND", 15, /a term such as done=false is expected/],
  ["description='x'", 1, /description cannot be filtered by; done, created_by, created_at, modified_at can/],
  ["name='x'", 1, /the field name is unknown/],
  ["constructor='x'", 1, /the field constructor is unknown/],
  ["done=maybe", 1, /done is true or false/],
  ["created_at>yesterday", 1, /created_at is an RFC 3339 timestamp/],
  ["created_by>a", 1, /created_by takes = !=, not >/],
  [Array.from({ length: 11 }, () => "done=true").join(" AND "), 140, /more than 10 terms/],
  [`created_by="${"a".repeat(1000)}"`, 1000, /at most 1000 are taken/],
];

for (const [filter, column, problem] of refused) {
  test(`${JSON.stringify(filter.slice(0, 30))} is refused at column ${column}`, () => {
    assert.throws(() => translateYandexFilter(filter), {
      reason: "INVALID_FILTER",
      message: new RegExp(`column ${column}: .*${problem.source}`),
    });
  });
}

test("a quoted text means itself to the store, whatever is in it", () => {
  for (const text of ['"', "\\", "*", 'a" OR done = true', "x* AND y"]) {
    assert.deepEqual(parseListFilter(`labels.disk_id = ${quoted(text)}`), {
      kind: "label",
      key: "disk_id",
      operator: "=",
      pattern: { text, openStart: false, openEnd: false },
    });
  }
});
