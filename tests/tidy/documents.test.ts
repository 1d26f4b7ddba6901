// The documents hold together: their links lead somewhere, the generated ones are what the code says, and each error
// reason that the code throws is in the table.
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { currentText, generatedDocuments } from "../../scripts/generate-docs.ts";
import { readText, repositoryFiles, root, sourceFiles } from "./source-tree.ts";

interface Link {
  from: string;
  target: string;
}

/** The links of a Markdown text outside its code, without those to other sites. */
function localLinks(path: string, text: string): Link[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "");
  const targets = [...prose.matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)|^\[[^\]]+\]: (\S+)/gm)].map(
    ([, a, b]) => a ?? b ?? "",
  );
  return targets.filter((target) => !/^[a-z]+:/.test(target)).map((target) => ({ from: path, target }));
}

/** The anchor that a heading gets on the usual Markdown hosts. */
function anchorOf(heading: string): string {
  return heading
    .replace(/`/g, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
}

function anchors(text: string): Set<string> {
  const prose = text.replace(/^```[\s\S]*?^```/gm, "");
  return new Set([...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => anchorOf(heading ?? "")));
}

function isBroken({ from, target }: Link): boolean {
  const [file = "", anchor] = target.split("#");
  const path = file === "" ? from : join(dirname(from), decodeURIComponent(file));
  if (path.startsWith("..") || !existsSync(join(root, path))) return true;
  return anchor !== undefined && path.endsWith(".md") && !anchors(readText(path)).has(anchor);
}

const documents = repositoryFiles().filter((path) => path.endsWith(".md"));

test("the links between documents, and from them to files, lead somewhere", () => {
  const broken = documents.flatMap((path) => localLinks(path, readText(path))).filter(isBroken);
  assert.deepEqual(
    broken.map(({ from, target }) => `${from} -> ${target}`),
    [],
  );
});

test("the paths that the documents name in code marks exist", () => {
  const named = /`((?:src|tests|docs|scripts|bench|examples|proto|migrations|bin)\/[\w./-]*)`/g;
  const missing = documents.flatMap((path) =>
    [...readText(path).matchAll(named)]
      .map(([, target]) => target ?? "")
      .filter((target) => !existsSync(join(root, target)))
      .map((target) => `${path} names ${target}`),
  );
  assert.deepEqual(missing, []);
});

for (const { path, text } of generatedDocuments()) {
  test(`${path} is what scripts/generate-docs.ts writes`, () => {
    assert.equal(currentText(path), text, "run: node scripts/generate-docs.ts");
  });
}

test("every error reason of the table is used somewhere in src/", () => {
  const text = sourceFiles("src/")
    .filter(({ path }) => path !== "src/base/error-reasons.ts" && !path.endsWith(".test.ts"))
    .map((file) => file.text)
    .join("\n");
  const reasons = [...readText("src/base/error-reasons.ts").matchAll(/^ {2}([A-Z_]+): \{/gm)].map(
    ([, reason]) => reason ?? "",
  );
  assert.ok(reasons.length > 0);
  assert.deepEqual(
    reasons.filter((reason) => !new RegExp(`\\b${reason}\\b`).test(text)),
    [],
  );
});

test("the documents that a newcomer looks for are there", () => {
  const wanted = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"];
  const pages = ["architecture", "state-machine", "request-lifecycle"].map(
    (name) => `docs/internals/${name}.md`,
  );
  const references = ["errors", "rest", "cli", "config"].map((name) => `docs/reference/${name}.md`);
  const missing = [...wanted, ...pages, ...references].filter((path) => {
    return !existsSync(join(root, path)) || statSync(join(root, path)).size === 0;
  });
  assert.deepEqual(missing, []);
});

test("the check of the links sees a broken one, and passes over code", () => {
  assert.deepEqual(localLinks("a.md", "[x](b.md#c) `[y](d)` [z](https://e)\n```\n[w](f)\n```\n[v]: g.md"), [
    { from: "a.md", target: "b.md#c" },
    { from: "a.md", target: "g.md" },
  ]);
  assert.equal(isBroken({ from: "docs/a.md", target: "no-such-file.md" }), true);
  assert.equal(isBroken({ from: "docs/a.md", target: "../LICENSE" }), false);
  assert.equal(anchorOf("`belay wait`: what it *does*"), "belay-wait-what-it-does");
});
