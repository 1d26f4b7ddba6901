// What terms mean, on one message.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MailMessage } from "./mail-message.ts";
import { fieldTest, parseTerms } from "./search-terms.ts";

const message: MailMessage = {
  from: "Ada Lovelace <ada@example.com>",
  to: "Ben <ben@example.com>",
  cc: "chloe@example.com",
  bcc: "",
  subject: "The Merger with Solarmora",
  labels: "Important,Drafts",
  date: 0,
  files: ["budget 2026.xlsx"],
  text: "Party at the\nCAFÉ Zürich: half past 12, ticket no. 4711.\r\nОтчёт готов。合併は春です",
};

const rows: readonly [terms: string, isMeant: boolean][] = [
  ["", true],
  ["  ", true],
  ["merger", true],
  ["MERGER party", true],
  ["merger wedding", false],
  ["wedding OR merger", true],
  ["wedding OR funeral", false],
  ["merger AND party", true],
  ["-wedding", true],
  ["-merger", false],
  ["NOT wedding merger", true],
  // OR binds less than standing side by side.
  ["wedding party OR merger", true],
  ["wedding (party OR merger)", false],
  ["-(wedding OR party)", false],
  ["-(wedding funeral) merger", true],
  // Words, not their parts.
  ["art", false],
  ["part*", true],
  ["art*", false],
  ["merg", false],
  ["4711", true],
  ["471", false],
  ["12", true],
  // A phrase stands in a row, over line ends too.
  ['"at the café"', true],
  ['"the at café"', false],
  ['"at the" zürich', true],
  ['"part at the"', false],
  ["отчёт", true],
  // Scripts that are written without spaces.
  ["合併", true],
  // Another spelling of the same characters: a decomposed accent, full width.
  ["cafe\u0301", true],
  ["ＭＥＲＧＥＲ", true],
  ["cafe", false],
  ["from:ada", true],
  ["from:ada@example.com", true],
  ["from:example.com", true],
  ["from:ben", false],
  ["to:ben", true],
  ["to:chloe", true],
  ["cc:ben", false],
  ["cc:chloe -bcc:chloe", true],
  ["subject:merger", true],
  ["subject:party", false],
  ['subject:"merger with"', true],
  ['-subject:"merger with"', false],
  ["SUBJECT:solarmora", true],
  ["label:drafts", true],
  ["filename:budget*", true],
  ["filename:xlsx", true],
  ["has:attachment", true],
  ["-has:attachment", false],
  ["budget", true],
  ["ada", true],
];

for (const [terms, isMeant] of rows) {
  test(`${JSON.stringify(terms)} means ${isMeant ? "the" : "another"} message`, () => {
    assert.equal(parseTerms(terms)(message), isMeant);
  });
}

test("terms that cannot be read are refused, and why", () => {
  const wrong: readonly [terms: string, message: RegExp][] = [
    ["(merger", /^the terms have a "\(" without its "\)"$/],
    ["merger)", /^the terms have a "\)" without its "\("$/],
    ["merger OR", /^the terms have an OR or a pair of brackets with nothing in it$/],
    ["OR merger", /nothing in it$/],
    ["()", /nothing in it$/],
    ["NOT", /^nothing stands behind NOT$/],
    ['""', /^a term has no word in it$/],
    ["*", /^a term has no word in it$/],
    ["from:", /^a term has no word in it$/],
    ["older:2y", /^the terms cannot ask for "older:2y"; they can ask for: from, to, /],
    ["has:drive", /^the terms cannot ask for "has:drive"/],
    ["constructor:x", /^the terms cannot ask for "constructor:x"/],
    ["(".repeat(21), /^more than 20 "\(" within each other$/],
    ["x".repeat(2_001), /^terms of 2001 characters: at most 2000 are allowed$/],
  ];
  for (const [terms, why] of wrong) {
    assert.throws(() => parseTerms(terms), { name: "InvalidTerms", code: 3, message: why }, terms);
  }
});

test("people are found by name and by address", () => {
  assert.deepEqual(
    ["Ada Lovelace", "ada@example.com", "lovelace", "ben"].map((text) => fieldTest("from", text)(message)),
    [true, true, true, false],
  );
  assert.ok(fieldTest("to", "chloe")(message));
});
