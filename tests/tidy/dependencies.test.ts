// What an install of Belay brings: exact versions, permissive licences, and no script that runs by itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readText, repositoryFiles } from "./source-tree.ts";

interface LockEntry {
  version?: string;
  license?: string;
  link?: boolean;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  hasInstallScript?: boolean;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  integrity?: string;
}

interface Manifest {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  allowScripts?: Record<string, boolean>;
}

const manifest = JSON.parse(readText("package.json")) as Manifest;
const lock = (JSON.parse(readText("package-lock.json")) as { packages: Record<string, LockEntry> }).packages;

/** Licences that ask for no more than their notice. */
const permissive =
  /^\(?(MIT|MIT-0|ISC|0BSD|Apache-2\.0|BSD-2-Clause|BSD-3-Clause|BlueOak-1\.0\.0|Python-2\.0|CC0-1\.0|Unlicense)\b/;

/**
 * Runtime packages with an install script, and why that is harmless. protobufjs only prints a warning when a manifest
 * asks for it by an unusual version range; it needs nothing of it, and package.json denies it.
 */
const knownScripts = ["protobufjs"];

/** The entry that `name` resolves to from the package at `path`: the nearest node_modules upward. */
function resolve(path: string, name: string): string | undefined {
  const parts = path.split("/node_modules/");
  for (let length = parts.length; length > 0; length--) {
    const candidate = `${parts.slice(0, length).join("/node_modules/")}/node_modules/${name}`;
    if (lock[candidate]) return candidate;
  }
  return lock[`node_modules/${name}`] && `node_modules/${name}`;
}

/** Everything that an install of the published package brings. */
function runtimePackages(): string[] {
  const found = new Set(Object.keys(manifest.dependencies).map((name) => resolve("", name) ?? name));
  for (const path of found) {
    for (const name of Object.keys(lock[path]?.dependencies ?? {})) found.add(resolve(path, name) ?? name);
  }
  return [...found];
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

test("every lock file holds the packages of all platforms: without one of them npm ci refuses it", () => {
  const files = repositoryFiles().filter((path) => path.endsWith("package-lock.json"));
  assert.ok(files.length >= 4);
  for (const file of files) {
    const { packages } = JSON.parse(readText(file)) as { packages: Record<string, LockEntry> };
    const held = new Set(Object.keys(packages).map(nameOf));
    const named = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
      Object.keys(optionalDependencies),
    );
    assert.deepEqual(
      named.filter((name) => !held.has(name)),
      [],
      file,
    );
  }
});

test("every direct dependency is pinned to one version", () => {
  const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  assert.deepEqual(
    all.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
    [],
  );
});

test("no package that Belay brings at run time has an install script that it needs", (t) => {
  const packages = runtimePackages();
  assert.deepEqual(
    packages.filter((path) => !lock[path]),
    [],
  );
  const scripts = packages.filter((path) => lock[path]?.hasInstallScript).map(nameOf);
  assert.deepEqual(scripts, knownScripts);
  t.diagnostic(`${packages.length} packages at run time`);
});

test("each install script in the clone is approved or denied in package.json, and only node's is approved", () => {
  const withScript = Object.entries(lock).filter(
    ([path, entry]) => path !== "" && entry.hasInstallScript && !entry.link,
  );
  const rules = manifest.allowScripts ?? {};
  assert.deepEqual(
    withScript.map(([path]) => nameOf(path)).filter((name) => rules[name] === undefined),
    [],
  );
  assert.deepEqual(
    Object.keys(rules).filter((name) => rules[name]),
    ["node"],
  );
});

// ffmpeg is GPL. The example runs it as a program of its own; Belay's package neither holds nor needs it.
const runAsProgram = /^node_modules\/@ffmpeg-installer\//;

test("every package in the lock file has a permissive licence, but for the ffmpeg that an example may run", () => {
  const packages = Object.entries(lock).filter(
    ([path, entry]) => path.includes("node_modules/") && !entry.link && !runAsProgram.test(path),
  );
  const optional = Object.entries(lock).filter(([path]) => runAsProgram.test(path));
  assert.ok(optional.length > 0 && optional.every(([, entry]) => entry.optional));
  const wrong = packages.filter(([, { license }]) => !permissive.test(license ?? ""));
  assert.deepEqual(
    wrong.map(([path, { license }]) => `${path}: ${license}`),
    [],
  );
});

test("every package in the lock file has a checksum, but for builds for other platforms that were not served when it was made", () => {
  const packages = Object.entries(lock).filter(
    ([path, entry]) => path.includes("node_modules/") && !entry.link,
  );
  const without = packages.filter(([, { integrity, optional, os }]) => !integrity && !(optional && os));
  assert.deepEqual(
    without.map(([path]) => path),
    [],
  );
});

test("the lock file has the packages of other platforms too, so that npm ci takes it everywhere", () => {
  const parents = Object.entries(lock) as [
    string,
    LockEntry & { optionalDependencies?: Record<string, string> },
  ][];
  const missing = parents.flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter((name) => resolve(path, name) === undefined),
  );
  assert.deepEqual(missing, []);
});
