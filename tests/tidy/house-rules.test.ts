// The house rules that a formatter and a type checker do not know: time and randomness through src/base, short files, a
// comment at the head of each, plain names, no default exports, nothing switched off.
import assert from "node:assert/strict";
import { basename, dirname, extname } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import {
  parse,
  place,
  readText,
  repositoryFiles,
  type SourceFile,
  sourceFiles,
  specifiers,
  visit,
} from "./source-tree.ts";

const LINES_MAX = 500;

/** Words that say nothing of what is inside, and names that say nothing alone. */
const emptyWords = ["util", "utils", "helper", "helpers", "common", "misc", "manager"];
const emptyNames = ["types", "data", "info", "index"];

/** The only files that read a clock, start a timer or ask for randomness. */
const sourcesOfTime = ["src/base/clock.ts", "src/base/timers.ts", "src/base/random.ts"];

const forbiddenMembers = ["Date.now", "Math.random", "process.hrtime", "performance.now"];
const forbiddenCalls = [
  "setTimeout",
  "setInterval",
  "randomBytes",
  "randomUUID",
  "randomInt",
  "getRandomValues",
];
const forbiddenModules = ["node:timers", "node:timers/promises", "timers", "timers/promises"];

const all = sourceFiles("");
const sources = all.filter(({ path }) => path.startsWith("src/"));

/** The name that a call goes to: `f(...)`, `globalThis.f(...)` and `crypto.f(...)` are all "f", `socket.f(...)` is not. */
function calledName(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node)) return undefined;
  if (ts.isIdentifier(node.expression)) return node.expression.text;
  if (!ts.isPropertyAccessExpression(node.expression)) return undefined;
  const owner = node.expression.expression.getText();
  return ["globalThis", "global", "crypto"].includes(owner) ? node.expression.name.text : undefined;
}

function readsTime(file: SourceFile): string[] {
  const found: string[] = [];
  visit(file, (node) => {
    const isMember =
      ts.isPropertyAccessExpression(node) && forbiddenMembers.includes(node.getText(file.tree));
    const isCall = forbiddenCalls.includes(calledName(node) ?? "");
    const isNow =
      ts.isNewExpression(node) && node.expression.getText(file.tree) === "Date" && !node.arguments?.length;
    if (isMember || isCall || isNow)
      found.push(`${place(file, node)} ${node.getText(file.tree).slice(0, 60)}`);
  });
  const modules = specifiers(file).filter(({ text }) => forbiddenModules.includes(text));
  return [...found, ...modules.map(({ text }) => `${file.path} imports ${text}`)];
}

function defaultExports(file: SourceFile): string[] {
  const found: string[] = [];
  visit(file, (node) => {
    const isDefault =
      ts.isExportAssignment(node) ||
      (ts.isExportSpecifier(node) && node.name.text === "default") ||
      (ts.canHaveModifiers(node) &&
        ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword));
    if (isDefault) found.push(place(file, node));
  });
  return found;
}

function explicitAny(file: SourceFile): string[] {
  const found: string[] = [];
  visit(file, (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(place(file, node));
  });
  return found;
}

const testFunctions = ["test", "it", "describe", "suite"];

/** `test.only(...)`, `describe.skip(...)`, `test("...", { skip: true }, ...)`. A skip with a condition is the runner's affair. */
function switchedOff(file: SourceFile): string[] {
  const found: string[] = [];
  visit(file, (node) => {
    if (!ts.isCallExpression(node)) return;
    const callee = node.expression;
    if (ts.isPropertyAccessExpression(callee) && ["only", "skip", "todo"].includes(callee.name.text)) {
      if (testFunctions.includes(callee.expression.getText(file.tree))) found.push(place(file, node));
    }
    if (!testFunctions.includes(calledName(node) ?? "")) return;
    for (const option of node.arguments
      .filter(ts.isObjectLiteralExpression)
      .flatMap(({ properties }) => properties)) {
      const isSwitch =
        ts.isPropertyAssignment(option) && /^(only|skip|todo)$/.test(option.name.getText(file.tree));
      const value = isSwitch ? option.initializer.kind : undefined;
      if (value === ts.SyntaxKind.TrueKeyword || value === ts.SyntaxKind.StringLiteral)
        found.push(place(file, option));
    }
  });
  return found;
}

/** Lines of comment before the first code; a `#!` line is passed over. */
function headComment(text: string): string {
  const lines = text.replace(/^#!.*\n/, "").split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  const block = /^\/\*[\s\S]*?\*\//.exec(lines.join("\n"));
  return block ? block[0] : lines.slice(0, end < 0 ? lines.length : end).join("\n");
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

test("src/ reads clocks, starts timers and asks for randomness only in src/base/{clock,timers,random}.ts", () => {
  const files = sources.filter(({ path }) => !sourcesOfTime.includes(path) && !path.endsWith(".test.ts"));
  assert.deepEqual(files.flatMap(readsTime), []);
});

test(`no file is longer than ${LINES_MAX} lines`, (t) => {
  assert.deepEqual(
    all.filter(({ lines }) => lines > LINES_MAX).map(({ path, lines }) => `${path}: ${lines}`),
    [],
  );
  const lengths = sources.map(({ lines }) => lines).sort((a, b) => a - b);
  const figures = `median ${percentile(lengths, 0.5)}, p90 ${percentile(lengths, 0.9)}, longest ${lengths.at(-1)}`;
  t.diagnostic(`lines of the ${lengths.length} files of src/: ${figures}`);
});

test("files and folders are named for what is in them, in kebab-case", () => {
  const code = repositoryFiles().filter((path) => [".ts", ".js"].includes(extname(path)));
  const wrong = code.filter((path) => {
    const names = `${dirname(path)}/${basename(path).split(".")[0]}`.split("/");
    const isKebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|long\.test|bench|fixture))?\.(ts|js)$/.test(
      basename(path),
    );
    const isEmpty = names.some(
      (name) => emptyNames.includes(name) || name.split("-").some((word) => emptyWords.includes(word)),
    );
    return !isKebab || isEmpty;
  });
  assert.deepEqual(wrong, []);
});

test("every file but a unit test begins with one to six lines that say what it owns", () => {
  const code = repositoryFiles().filter(
    (path) => /\.(ts|js|sh)$/.test(path) && !/^src\/.*\.test\.ts$/.test(path),
  );
  const wrong = code.filter((path) => {
    const text = path.endsWith(".sh") ? readText(path).replace(/^# /gm, "// ") : readText(path);
    // A grammar or a message may follow after an empty comment line.
    const [prose = ""] = headComment(text).split(/^\/\/$/m);
    return prose === "" || prose.trimEnd().split("\n").length > 6;
  });
  assert.deepEqual(wrong, []);
});

test("nothing is exported by default", () => {
  // node:test loads a reporter by its default export.
  const files = all.filter(({ path }) => path !== "scripts/testing/test-reporter.ts");
  assert.deepEqual(files.flatMap(defaultExports), []);
});

test("nothing is of type any", () => {
  assert.deepEqual(all.flatMap(explicitAny), []);
});

test("no test is switched off, or the only one that is on", () => {
  assert.deepEqual(all.flatMap(switchedOff), []);
});

test("nothing is left for later", () => {
  // Written so that this file does not name them.
  const marks = /\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b/;
  const found = repositoryFiles()
    .filter(
      (path) => /\.(ts|js|md|sh|json|sql|proto|ya?ml)$/.test(path) && !path.endsWith("package-lock.json"),
    )
    .filter((path) => marks.test(readText(path)));
  assert.deepEqual(found, []);
});

test("the checks themselves see what they look for", () => {
  const of = (text: string): SourceFile => parse("src/engine/a.ts", text);
  const rows: readonly [(file: SourceFile) => string[], string, number][] = [
    [readsTime, "Date.now(); new Date(); globalThis.setTimeout(f, 1); process.hrtime.bigint();", 4],
    [readsTime, 'import { setTimeout as wait } from "node:timers/promises";', 1],
    [readsTime, "new Date(0); clock.now(); startTimer(1, f); // Date.now()", 0],
    [defaultExports, "export default 1;", 1],
    [defaultExports, "export default function f() {}", 1],
    [defaultExports, "const a = 1; export { a as default };", 1],
    [explicitAny, "const a: any = 1; // any", 1],
    [
      switchedOff,
      'test.only("a", f); describe.skip("b", f); test("c", { skip: "no" }, f); test("d", { todo: true }, f);',
      4,
    ],
    [switchedOff, 'test("c", { skip: isMissing }, f); list.skip(1);', 0],
  ];
  for (const [check, text, count] of rows) assert.equal(check(of(text)).length, count, text);
  assert.equal(headComment("import x;"), "");
  assert.equal(headComment("#!/usr/bin/env node\n// a\n// b\ncode"), "// a\n// b");
});
