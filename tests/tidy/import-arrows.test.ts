// Which folder of src/ may import which. The arrows are those of docs/internals/architecture.md: engine knows no protocol,
// services know no store, nothing imports the command line.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FileImport, fileImports, parse, type SourceFile, sourceFiles } from "./source-tree.ts";

/** folder -> folders that it may import directly; what those may import, it may import too. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  base: [],
  protocol: ["base"],
  transcoding: ["protocol"],
  engine: ["base"],
  stores: ["engine"],
  services: ["engine", "protocol"],
  server: ["services", "transcoding"],
  client: ["protocol", "base"],
  worker: ["client"],
  testing: ["server", "stores", "client", "worker", "engine", "services"],
  cli: ["server", "stores", "client", "worker", "engine", "services"],
};

/** The folder itself and all that it may import, directly or not. */
function reachable(folder: string): Set<string> {
  const found = new Set([folder]);
  for (const next of found) for (const allowed of arrows[next] ?? []) found.add(allowed);
  return found;
}

/** "engine" for src/engine/x.ts, "" for a file directly in src/. */
function folderOf(path: string): string {
  const parts = path.split("/");
  return parts.length > 2 ? (parts[1] ?? "") : "";
}

function forbidden({ from, to }: FileImport): boolean {
  const [source, target] = [folderOf(from), folderOf(to)];
  if (!to.startsWith("src/")) return true;
  // src/*.ts are the package's entry points: they gather what the package exports.
  if (source === "") return false;
  return !reachable(source).has(target);
}

/** A chain of files that load one another in a circle, or undefined. Type imports are erased and load nothing. */
function findCycle(files: readonly SourceFile[]): string[] | undefined {
  const imports = new Map(
    files.map((file) => [file.path, fileImports(file).flatMap(({ to, isType }) => (isType ? [] : [to]))]),
  );
  const state = new Map<string, "open" | "closed">();
  const path: string[] = [];
  const walk = (file: string): string[] | undefined => {
    if (state.get(file) === "closed") return undefined;
    path.push(file);
    if (state.get(file) === "open") return path.slice(path.indexOf(file));
    state.set(file, "open");
    for (const next of imports.get(file) ?? []) {
      const cycle = walk(next);
      if (cycle) return cycle;
    }
    state.set(file, "closed");
    path.pop();
    return undefined;
  };
  for (const file of imports.keys()) {
    const cycle = walk(file);
    if (cycle) return cycle;
  }
  return undefined;
}

const sources = sourceFiles("src/");

test("every folder of src/ is in the table of arrows", () => {
  const folders = new Set(sources.map(({ path }) => folderOf(path)).filter((folder) => folder !== ""));
  assert.deepEqual(
    [...folders].filter((folder) => !(folder in arrows)),
    [],
  );
});

test("src/ imports only along the arrows", () => {
  // A unit test may look at what its file must agree with.
  const wrong = sources
    .filter(({ path }) => !path.endsWith(".test.ts"))
    .flatMap(fileImports)
    .filter(forbidden);
  assert.deepEqual(
    wrong.map(({ from, to }) => `${from} imports ${to}`),
    [],
  );
});

test("stores do not know each other", () => {
  const store = (path: string): string | undefined => /^src\/stores\/(\w+)\//.exec(path)?.[1];
  const wrong = sources
    .flatMap(fileImports)
    .filter(
      ({ from, to }) => store(from) !== undefined && store(to) !== undefined && store(from) !== store(to),
    );
  assert.deepEqual(wrong, []);
});

test("no files of src/ load one another in a circle", () => {
  assert.equal(findCycle(sources)?.join(" -> "), undefined);
});

test("the tests, the bench and the scripts are not imported by src/, nor is anything outside it", () => {
  const wrong = sources.flatMap(fileImports).filter(({ to }) => !to.startsWith("src/"));
  assert.deepEqual(wrong, []);
});

test("the check itself sees a forbidden arrow, a type import, a dynamic import and a cycle", () => {
  const engine = parse(
    "src/engine/a.ts",
    'import type { X } from "../protocol/b.ts"; await import("../stores/c.ts");',
  );
  assert.deepEqual(fileImports(engine).map(forbidden), [true, true]);
  const pair = [
    parse("src/engine/a.ts", 'export * from "./b.ts";'),
    parse("src/engine/b.ts", 'import "./a.ts";'),
  ];
  assert.deepEqual(findCycle(pair), ["src/engine/a.ts", "src/engine/b.ts", "src/engine/a.ts"]);
  const types = [parse("src/engine/a.ts", 'import type { B } from "./b.ts";'), pair[1] as SourceFile];
  assert.equal(findCycle(types), undefined);
});
