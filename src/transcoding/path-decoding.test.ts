import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkSegment, decodeSegment, splitTarget } from "./path-decoding.ts";

test("a target is split into escaped segments and the query", () => {
  assert.deepEqual(splitTarget("/v1/operations/a%20b:cancel?x=1&y=/?"), {
    path: "/v1/operations/a%20b:cancel",
    segments: ["v1", "operations", "a%20b:cancel"],
    query: "x=1&y=/?",
  });
  assert.deepEqual(splitTarget("/v1?"), { path: "/v1", segments: ["v1"], query: "" });
  assert.deepEqual(splitTarget("/"), { path: "/", segments: [], query: "" });
});

test("unescaped characters that paths may hold are fine", () => {
  splitTarget("/AZaz09-._~!$&'()*+,=:@/%C3%A9%20%25%3B%3F%23");
});

const refused: readonly [string, string][] = [
  ["", "it does not start with '/'"],
  ["*", "it does not start with '/'"], // OPTIONS *
  ["http://host/v1", "it does not start with '/'"], // the form for proxies
  ["//v1", "it has an empty segment"],
  ["/v1//x", "it has an empty segment"],
  ["/v1/", "it has an empty segment"],
  ["/v1/./x", "it has a segment '.'"],
  ["/v1/..", "it has a segment '..'"],
  ["/v1/%2e%2e/x", "it has a segment '..'"],
  ["/v1/%2E", "it has a segment '.'"],
  ["/v1/.%2e/x", "it has a segment '..'"],
  ["/v1/a%2f..%2fb", "it has a segment '..'"], // a segment of one variable decodes to a/../b
  ["/v1/a;b", "it has the character ';'"],
  ["/v1/a\\b", "it has the character '\\'"],
  ["/v1/a%5Cb", "it has the escaped character '\\'"],
  ["/v1/a%5cb", "it has the escaped character '\\'"],
  ["/v1/a%00", "it has the escaped character U+0000"],
  ["/v1/a%0D%0A", "it has the escaped character U+000D"],
  ["/v1/a%7F", "it has the escaped character U+007F"],
  ["/v1/a%C2%85", "it has the escaped character U+0085"],
  ["/v1/a\u0000", "it has the character U+0000"],
  ["/v1/a b", "it has the character U+0020"],
  ["/v1/é", "it has the character U+00E9"],
  ["/v1/a#b", "it has the character '#'"],
  ["/v1/{x}", "it has the character '{'"],
  ["/v1/a%", "it has a broken escape, or one that is no UTF-8"],
  ["/v1/a%2", "it has a broken escape, or one that is no UTF-8"],
  ["/v1/a%zz", "it has a broken escape, or one that is no UTF-8"],
  ["/v1/%FF", "it has a broken escape, or one that is no UTF-8"],
  ["/v1/%C3", "it has a broken escape, or one that is no UTF-8"],
  ["/v1/%C0%AF", "it has a broken escape, or one that is no UTF-8"], // "/" in two bytes
  ["/v1/%ED%A0%80", "it has a broken escape, or one that is no UTF-8"], // half a surrogate pair
];
for (const [target, problem] of refused) {
  test(`${JSON.stringify(target)} is INVALID_PATH: ${problem}`, () => {
    assert.throws(() => splitTarget(target), {
      reason: "INVALID_PATH",
      message: `the request path is refused: ${problem}`,
    });
  });
}

test("a single-segment value is decoded whole; a multi-segment one keeps %2F and %2f as they came", () => {
  const cases: [string, string, string][] = [
    ["a%2Fb%2fc", "a/b/c", "a%2Fb%2fc"],
    ["c%20d%25%C3%A9", "c d%é", "c d%é"],
    ["%3A%3a", "::", "::"],
    ["%252F", "%2F", "%2F"], // decoded once
    ["plain", "plain", "plain"],
  ];
  for (const [raw, single, multi] of cases) {
    assert.equal(decodeSegment(raw, false), single);
    assert.equal(decodeSegment(raw, true), multi);
  }
});

test("what a client escapes is decoded to the same text", () => {
  const text = fc
    .string({ unit: "grapheme", minLength: 1 })
    .filter(
      (s) =>
        s.isWellFormed() &&
        !/[\p{Cc}\\]/u.test(s) &&
        s.split("/").every((part) => part !== "." && part !== ".."),
    );
  fc.assert(
    fc.property(text, (value) => {
      // All but [-_.~0-9a-zA-Z] escaped, as google/api/http.proto asks of clients.
      const escaped = encodeURIComponent(value).replace(
        /[!'()*]/g,
        (c) => `%${c.charCodeAt(0).toString(16)}`,
      );
      const { segments } = splitTarget(`/v1/${escaped}`);
      assert.equal(segments[1], escaped);
      assert.equal(decodeSegment(escaped, false), value);
      assert.equal(decodeSegment(escaped, true).replaceAll("%2F", "/"), value);
    }),
    { numRuns: 500 },
  );
});

test("whatever the target: INVALID_PATH, or segments that hold no slash, dots or control characters", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[/a.%0-9a-fA-F;:\\?é]{0,24}$/), (rest) => {
      let segments: readonly string[];
      try {
        ({ segments } = splitTarget(`/${rest}`));
      } catch (error) {
        assert.equal((error as { reason?: string }).reason, "INVALID_PATH");
        return;
      }
      for (const segment of segments) {
        const value = decodeSegment(segment, true);
        assert.ok(value !== "" && value !== "." && value !== ".." && !/[/\\\p{Cc}]/u.test(value), segment);
      }
    }),
    { numRuns: 3000 },
  );
});

test("what a verb leaves is checked again", () => {
  for (const rest of ["", ".", "..", "%2e%2E"])
    assert.throws(() => checkSegment(rest), { reason: "INVALID_PATH" });
  checkSegment("...");
});
