import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dialect } from "../../services/service-declaration.ts";
import { refusalOf } from "./auth.fixture.ts";
import { readAuthorization, TOKEN_LENGTH_MAX } from "./authorization-header.ts";

const huge = "x".repeat(TOKEN_LENGTH_MAX + 1);
const malformed = "ACCESS_TOKEN_INVALID: the authorization header is malformed";
const unsupported = "ACCESS_TOKEN_TYPE_UNSUPPORTED";

const refused: [title: string, values: string[], dialect: Dialect, refusal: string][] = [
  ["no header", [], "google", "CREDENTIALS_MISSING"],
  [
    "two headers",
    ["Bearer a", "Bearer a"],
    "google",
    "ACCESS_TOKEN_INVALID: the call has more than one authorization header",
  ],
  ["two tokens in one header", ["Bearer a, Bearer b"], "google", malformed],
  ["an empty header", [""], "google", unsupported],
  ["a token without a scheme", ["abc.def.ghi"], "google", unsupported],
  ["Basic", ["Basic dXNlcjpwYXNz"], "google", unsupported],
  ["Api-Key on a google service", ["Api-Key abc"], "google", unsupported],
  ["Bearer alone", ["Bearer"], "google", malformed],
  ["Bearer and spaces", ["Bearer   "], "google", malformed],
  ["a tab in place of the space", ["Bearer\tabc"], "google", unsupported],
  ["a quoted token", ['Bearer "abc"'], "google", malformed],
  [
    "a huge token",
    [`Bearer ${huge}`],
    "google",
    `ACCESS_TOKEN_INVALID: it has ${TOKEN_LENGTH_MAX + 1} characters; at most ${TOKEN_LENGTH_MAX} are taken`,
  ],
];

for (const [title, values, dialect, refusal] of refused) {
  test(`${title}: ${refusal}`, async () => {
    assert.equal(await refusalOf(() => readAuthorization(values, dialect)), refusal);
  });
}

test("the scheme is read without regard to case, and a token up to the limit", () => {
  const longest = "x".repeat(TOKEN_LENGTH_MAX);
  assert.deepEqual(readAuthorization([`bEARER ${longest}`], "google"), { scheme: "bearer", token: longest });
  assert.deepEqual(readAuthorization(["api-key a:b/c+d=="], "yandex"), {
    scheme: "api-key",
    token: "a:b/c+d==",
  });
});

test("only schemes that are known are repeated: another word may be the token", () => {
  assert.throws(() => readAuthorization(["basic abc"], "google"), /of the kind Basic is not supported/);
  assert.throws(
    () => readAuthorization(["t1secret abc"], "google"),
    /of the kind that was sent is not supported/,
  );
});
