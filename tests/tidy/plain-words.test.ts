// What is published speaks of Belay only: no host of a package registry, no path of somebody's machine, no word of the
// place where it was written. The patterns are written so that this file does not match itself.
import assert from "node:assert/strict";
import { extname } from "node:path";
import { test } from "node:test";
import { readText, repositoryFiles } from "./source-tree.ts";

const patterns: readonly [what: string, pattern: RegExp][] = [
  [
    "the host of a package registry",
    /registry[.](npmjs|yarnpkg|npmmirror)|pypi[.]org|crates[.]io|proxy[.]golang/i,
  ],
  ["a resolved download address", /"resolved": "https?:/],
  ["a path of a machine", /(^|[^\w.$}])\/(work|root|Users|home\/[a-z]+|tmp\/[a-z]+\/[A-Z])\//m],
  ["a user's home", /~\/[.]npm|\bC:\\Users\b/],
  ["a word of the place it was written in", /\b(work[p]lace|the C[E]O)\b/i],
  ["the notes it was written from", /\b(shared\/(design|fac[t]s)|facts\/[a-z-]+[.]md)\b/],
  ["a secret", /-----BEGIN [A-Z ]*PRIVATE KEY-----|_authT[o]ken|\bAKIA[0-9A-Z]{16}\b/],
];

/** Files whose bytes are not ours to read as text. */
const binary = [".png", ".jpg", ".jpeg", ".pdf", ".gz", ".ico", ".woff2", ".traineddata"];

test("no file names a registry, a machine or the place it was written in", () => {
  const found: string[] = [];
  for (const path of repositoryFiles()) {
    if (binary.includes(extname(path))) continue;
    const text = readText(path);
    for (const [what, pattern] of patterns) {
      const match = pattern.exec(text);
      if (match)
        found.push(
          `${path}:${text.slice(0, match.index).split("\n").length} has ${what}: ${match[0].trim()}`,
        );
    }
  }
  assert.deepEqual(found, []);
});

test("each pattern finds what it is for", () => {
  const rows = [
    ["registry", "npmjs", "org"].join("."),
    ["", "root", "project", "a.ts"].join("/"),
    `see ${["", "Users", "ada", "x"].join("/")}`,
    ["shared", "design"].join("/"),
  ];
  for (const row of rows)
    assert.ok(
      patterns.some(([, pattern]) => pattern.test(row)),
      row,
    );
  for (const fine of [
    "src/cli/commands/work.ts",
    "https://example.com/root",
    "127.0.0.1",
    "network/root.ts",
  ]) {
    assert.equal(
      patterns.find(([, pattern]) => pattern.test(fine)),
      undefined,
      fine,
    );
  }
});
