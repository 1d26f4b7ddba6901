import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isMultiSegment, type PathTemplate, parsePathTemplate, printPathTemplate } from "./path-template.ts";
import { PathTemplateError } from "./path-template-scanner.ts";

type Variable = [field: string, start: number, end: number];
const good: readonly [string, string[], Variable[], string][] = [
  ["/v1", ["v1"], [], ""],
  ["/v1/messages", ["v1", "messages"], [], ""],
  ["/*", ["*"], [], ""],
  ["/**", ["**"], [], ""],
  ["/v1/*/x/**", ["v1", "*", "x", "**"], [], ""],
  ["/v1/**:watch", ["v1", "**"], [], "watch"],
  ["/v1/{name}", ["v1", "*"], [["name", 1, 2]], ""],
  ["/v1/{name=*}", ["v1", "*"], [["name", 1, 2]], ""],
  ["/v1/{name=**}", ["v1", "**"], [["name", 1, 2]], ""],
  ["/v1/{name=operations}", ["v1", "operations"], [["name", 1, 2]], ""],
  ["/v1/{name=operations/**}:cancel", ["v1", "operations", "**"], [["name", 1, 3]], "cancel"],
  ["/v1/{name=operations/*}:cancel", ["v1", "operations", "*"], [["name", 1, 3]], "cancel"],
  [
    "/v1beta1/{name=projects/*/locations/*}/operations",
    ["v1beta1", "projects", "*", "locations", "*", "operations"],
    [["name", 1, 5]],
    "",
  ],
  [
    "/v1/{a.b.c}/{d=x/*}/{e=**}",
    ["v1", "*", "x", "*", "**"],
    [
      ["a.b.c", 1, 2],
      ["d", 2, 4],
      ["e", 4, 5],
    ],
    "",
  ],
  ["/operations/{operation_id}:cancel", ["operations", "*"], [["operation_id", 1, 2]], "cancel"],
  ["/v1/a%2Fb/%C3%A9", ["v1", "a%2Fb", "%C3%A9"], [], ""], // escapes stay: literals are compared escaped
  ["/$discovery/rest", ["$discovery", "rest"], [], ""],
  ["/{_x1}", ["*"], [["_x1", 0, 1]], ""],
];
for (const [text, segments, variables, verb] of good) {
  test(`${text} is parsed`, () => {
    assert.deepEqual(parsePathTemplate(text), {
      segments,
      variables: variables.map(([fieldPath, start, end]) => ({ fieldPath, start, end })),
      verb,
    });
  });
}

const bad: readonly [string, string][] = [
  ["", "column 1: expected '/', found the end"],
  ["v1", "column 1: expected '/', found 'v'"],
  ["/", "column 2: expected a segment, found the end"],
  ["//", "column 2: expected a segment, found '/'"],
  ["/v1/", "column 5: expected a segment, found the end"],
  ["/v1//x", "column 5: expected a segment, found '/'"],
  ["/v1/**/x", "column 7: '**' must be the last segment"], // greedy: nothing would be left for x
  ["/v1/{name=**}/x", "column 14: '**' must be the last segment"],
  ["/v1/{name=**/x}", "column 13: '**' must be the last segment"],
  ["/v1/{name=a/**/b}", "column 15: '**' must be the last segment"],
  ["/v1/{a=x/{b}}", "column 10: a variable cannot hold a variable"],
  ["/v1/{a}/{a}", "column 10: the field 'a' is bound twice"],
  ["/v1/{}", "column 6: expected a field name, found '}'"],
  ["/v1/{1a}", "column 6: expected a field name, found '1'"],
  ["/v1/{a.}", "column 8: expected a field name, found '}'"],
  ["/v1/{a", "column 7: expected '}', found the end"],
  ["/v1/{a=", "column 8: expected a segment, found the end"],
  ["/v1/{a=x:y}", "column 9: expected '}', found ':'"],
  ["/v1/{a-b}", "column 7: expected '}', found '-'"],
  ["/v1/x{a}", "column 6: unexpected '{'"],
  ["/v1/{a}x", "column 8: unexpected 'x'"],
  ["/v1/***", "column 7: unexpected '*'"],
  ["/v1/a*", "column 6: unexpected '*'"],
  ["/v1/x:", "column 7: expected a verb, found the end"],
  ["/v1/x:y:z", "column 8: unexpected ':'"],
  ["/v1/x:y/z", "column 8: unexpected '/'"],
  ["/v1/x?y", "column 6: unexpected '?'"],
  ["/v1/a b", "column 6: unexpected ' '"],
  ["/v1/é", "column 5: expected a segment, found 'é'"], // must be written %C3%A9
  ["/v1/🚢", "column 5: expected a segment, found '🚢'"],
  ["/v1/a;b", "column 6: unexpected ';'"], // no request path may hold one
  ["/v1/a%2", "column 6: '%' needs two upper-case hexadecimal digits"],
  ["/v1/%c3", "column 5: '%' needs two upper-case hexadecimal digits"],
  ["/v1/..", "column 7: a segment '..' can never be matched"],
];
for (const [text, message] of bad) {
  test(`${JSON.stringify(text)} is refused: ${message}`, () => {
    assert.throws(
      () => parsePathTemplate(text),
      (error) => {
        assert.ok(error instanceof PathTemplateError);
        assert.equal(error.message, message);
        assert.equal(message.startsWith(`column ${error.column}:`), true);
        return true;
      },
    );
  });
}

const literal = fc.stringMatching(/^[a-zA-Z0-9_~-]{1,8}(%2F|%C3%A9)?$/);
const inner = fc.array(fc.oneof(fc.constant("*"), literal), { minLength: 1, maxLength: 3 });
/** A template built as its parts say, independently of the parser. */
const template: fc.Arbitrary<PathTemplate> = fc
  .record({
    parts: fc.array(fc.oneof(fc.constant("*"), literal, inner), { maxLength: 4 }),
    tail: fc.constantFrom("", "**", "variable"),
    verb: fc.oneof(fc.constant(""), fc.stringMatching(/^[a-zA-Z]{1,8}$/)),
  })
  .map(({ parts, tail, verb }) => {
    const segments: string[] = [];
    const variables: { fieldPath: string; start: number; end: number }[] = [];
    for (const [i, part] of [...parts, ...(tail === "variable" ? [["x", "**"]] : [])].entries()) {
      const start = segments.length;
      segments.push(...(typeof part === "string" ? [part] : part));
      if (typeof part !== "string") variables.push({ fieldPath: `f${i}.g`, start, end: segments.length });
    }
    if (tail === "**" || segments.length === 0) segments.push("**");
    return { segments, variables, verb };
  });

test("what is printed is parsed to the same template", () => {
  fc.assert(
    fc.property(template, (value) => {
      assert.deepEqual(parsePathTemplate(printPathTemplate(value)), value);
    }),
    { numRuns: 500 },
  );
});

test("any text is parsed or refused with a column within it", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[/*{}=.:a%é-]{0,20}$/), (text) => {
      try {
        assert.deepEqual(
          parsePathTemplate(printPathTemplate(parsePathTemplate(text))),
          parsePathTemplate(text),
        );
      } catch (error) {
        assert.ok(error instanceof PathTemplateError);
        assert.ok(error.column >= 1 && error.column <= text.length + 1);
      }
    }),
    { numRuns: 2000 },
  );
});

test("a variable of one segment is printed in its shortest form", () => {
  assert.equal(printPathTemplate(parsePathTemplate("/v1/{name=*}:get")), "/v1/{name}:get");
  assert.equal(printPathTemplate(parsePathTemplate("/v1/{name=a/*}/b")), "/v1/{name=a/*}/b");
});

test("several segments, or **, make a variable multi-segment", () => {
  const isMulti = (text: string): boolean => {
    const parsed = parsePathTemplate(text);
    return isMultiSegment(parsed, parsed.variables[0]!);
  };
  assert.deepEqual(["/{a}", "/{a=*}", "/{a=x}"].map(isMulti), [false, false, false]);
  assert.deepEqual(["/{a=**}", "/{a=x/*}", "/{a=x/**}"].map(isMulti), [true, true, true]);
});
