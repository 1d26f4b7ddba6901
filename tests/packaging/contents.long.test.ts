// What `npm pack` would publish: everything that the manifest promises, and nothing of the workshop.
import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { manifest, type Packed, pack, root } from "./package-under-test.ts";

const SIZE_MAX = 1536 * 1024;
const UNPACKED_SIZE_MAX = 6 * 1024 * 1024;

let packed: Packed;
let paths: Set<string>;
before(async () => {
  packed = await pack("--dry-run");
  paths = new Set(packed.files.map(({ path }) => path));
});

test("every entry point is there with its types", () => {
  for (const target of Object.values(manifest.exports)) {
    for (const path of [target.types, target.default])
      assert.ok(paths.has(path.slice(2)), `${path} is missing`);
    assert.ok(existsSync(join(root, target["belay-source"])), `${target["belay-source"]} is missing`);
  }
});

test("the command, the licence, the README, the migrations and the protos are there", () => {
  const wanted = [...Object.values(manifest.bin), "LICENSE", "README.md", "package.json"];
  const listed = globSync(["migrations/**/*.sql", "proto/**/*.proto"], { cwd: root });
  assert.ok(listed.length > 0);
  assert.deepEqual(
    [...wanted, ...listed].filter((path) => !paths.has(path)),
    [],
  );
});

test("tests, fixtures, sources and the workshop stay at home", () => {
  const strays =
    /(^|\/)(tests?|examples|bench|scripts|docs|src|node_modules|\.[^/]+)\/|\.(test|fixture|bench)\.|\.ts$(?<!\.d\.ts)|\.tsbuildinfo$/;
  assert.deepEqual(
    [...paths].filter((path) => strays.test(path)),
    [],
  );
});

test("each compiled file has its source: nothing of an older build is in it", () => {
  const compiled = [...paths].filter((path) => path.startsWith("dist/") && path.endsWith(".js"));
  assert.ok(compiled.length > 0);
  const sourceOf = (path: string): string => path.replace(/^dist\//, "src/").replace(/\.js$/, ".ts");
  assert.deepEqual(
    compiled.filter((path) => !existsSync(join(root, sourceOf(path)))),
    [],
  );
});

test(`the package is at most ${SIZE_MAX / 1024} KiB, and ${UNPACKED_SIZE_MAX / 1024} KiB unpacked`, (t) => {
  t.diagnostic(`${packed.files.length} files, ${packed.size} bytes packed, ${packed.unpackedSize} unpacked`);
  assert.ok(packed.size <= SIZE_MAX, `${packed.size} bytes packed`);
  assert.ok(packed.unpackedSize <= UNPACKED_SIZE_MAX, `${packed.unpackedSize} bytes unpacked`);
});
