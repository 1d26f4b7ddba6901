// Prepares a fresh clone: dependencies, generated protobuf code, dist/. Plain JavaScript that Node 20 parses, since it
// runs before the project's own Node is installed. Does only what is out of date (a few ms when nothing is), and one
// set-up at a time. `--publish` compiles with the type check and declarations, as the package ships them; a folder as argument
// (tests/interop) installs that folder's own lock file instead.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, ".cache");
const lockFile = join(cache, "setup.lock");
const stampFile = join(cache, "setup.json");

/** How long another set-up of the same clone may take before this one gives up waiting for it. */
const WAIT_MAX_SECONDS = 600;

/** The public protos that Belay builds against, taken from the google-gax package. */
const googleProtos = [
  "google/api/annotations.proto",
  "google/api/client.proto",
  "google/api/field_behavior.proto",
  "google/api/http.proto",
  "google/api/launch_stage.proto",
  "google/longrunning/operations.proto",
  "google/rpc/code.proto",
  "google/rpc/error_details.proto",
  "google/rpc/status.proto",
];

/** What npm says when it has no network, and the codes of the same in its inner calls. */
const offlineCodes =
  /\b(EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|ENOTCACHED)\b/;

/** A failure that is told in one line. */
class SetupError extends Error {}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function hashFiles(paths) {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(path).update(readFileSync(join(root, path)));
  return hash.digest("hex");
}

/** Size and time of each file: cheap enough (a few ms) for every start, and an edit always changes one of them. */
function fingerprint(folder, ending) {
  const hash = createHash("sha256");
  for (const name of readdirSync(join(root, folder), { recursive: true }).sort()) {
    if (!name.endsWith(ending)) continue;
    const { size, mtimeMs } = statSync(join(root, folder, name));
    hash.update(`${name}:${size}:${mtimeMs};`);
  }
  return hash.digest("hex");
}

/** Runs a command with the clone's own binaries first. Its output is shown only if it fails. */
function run(folder, command, args, explain) {
  const path = `${join(root, "node_modules", ".bin")}:${process.env.PATH}`;
  const result = spawnSync(command, args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, PATH: path },
  });
  if (result.status === 0) return;
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}`.trim();
  throw new SetupError(explain(result.error ? result.error.message : output));
}

/** The parts of a manifest that decide what is installed. */
function wantedBy(manifest) {
  const parts = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];
  return JSON.stringify(parts.map((part) => Object.entries(manifest[part] ?? {}).sort()));
}

/** True if node_modules holds what the lock file says, and the lock file what the manifests say. */
function isInstalled(folder) {
  const wanted = readJson(join(folder, "package-lock.json"))?.packages;
  const installed = readJson(join(folder, "node_modules", ".package-lock.json"))?.packages;
  if (!wanted || !installed) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes("node_modules/")) {
      const manifest = readJson(join(folder, path, "package.json"));
      return manifest !== undefined && wantedBy(manifest) === wantedBy(entry);
    }
    const found = installed[path];
    // Packages of other platforms are in the lock file and never installed.
    if (!found) return entry.optional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

function explainNpm(output) {
  const offline = offlineCodes.exec(output);
  if (offline) {
    return `no network (${offline[1]}): the dependencies are downloaded once; run this again with a connection`;
  }
  const lines = output.split("\n").filter((line) => /npm (error|ERR!)/.test(line));
  const first = lines
    .map((line) => line.replace(/^npm (error|ERR!) ?/, ""))
    .filter((line) => line !== "" && !/^code /.test(line));
  return `npm ci failed: ${first[0] ?? output.split("\n").pop()}; for all of it run: npm ci`;
}

function installDependencies(folder) {
  // The hidden lock file is there even if an install was killed half-way through a script; Node's binary comes last.
  const complete = folder !== root || existsSync(join(root, "node_modules", ".bin", "node"));
  if (complete && isInstalled(folder)) return;
  const name = relative(root, folder);
  console.log(`belay: installing the dependencies${name ? ` of ${name}` : ""} (npm ci, about half a minute)`);
  // npm's own retries take 80 s to notice that there is no network; these take 10.
  const retries = ["--fetch-retries=3", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=6000"];
  run(folder, "npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error", ...retries], explainNpm);
}

/** npm links no root package's own command: without it npx would pack the clone each time, and warn of the shell's old Node. */
function linkCommand() {
  const link = join(root, "node_modules", ".bin", "belay");
  if (!existsSync(link)) symlinkSync("../../bin/belay.js", link);
}

/** Runs a build step unless the stamp of its inputs is that of the last run. */
function buildStep(name, inputs, output, build) {
  const stamps = readJson(stampFile) ?? {};
  if (stamps[name] === inputs && existsSync(join(root, output))) return;
  build();
  writeFileSync(stampFile, JSON.stringify({ ...stamps, [name]: inputs }));
}

function generateProtobuf() {
  console.log("belay: generating protobuf code (buf)");
  for (const proto of googleProtos) {
    mkdirSync(dirname(join(root, ".proto", proto)), { recursive: true });
    copyFileSync(join(root, "node_modules/google-gax/build/protos", proto), join(root, ".proto", proto));
  }
  run(root, "buf", ["generate"], (output) => `buf generate failed:\n${output}`);
}

/** Without the type check this takes half the time, and a type error (npm test finds it) does not stop a start. */
const transpileOnly = [
  "--noCheck",
  "--isolatedDeclarations",
  "false",
  "--declaration",
  "false",
  "--declarationMap",
  "false",
];

function compile(options) {
  console.log("belay: compiling (tsc)");
  const fresh = join(root, "dist.new");
  rmSync(fresh, { recursive: true, force: true });
  const args = ["-p", "tsconfig.build.json", "--outDir", fresh, ...options];
  run(root, "tsc", args, (output) => `the sources do not compile:\n${output}`);
  // Swapped in whole, so that a server that starts meanwhile finds the old or the new one.
  const old = join(root, "dist.old");
  rmSync(old, { recursive: true, force: true });
  if (existsSync(join(root, "dist"))) renameSync(join(root, "dist"), old);
  renameSync(fresh, join(root, "dist"));
  rmSync(old, { recursive: true, force: true });
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Takes the lock; a lock whose owner is gone is taken over. */
function takeLock() {
  mkdirSync(cache, { recursive: true });
  for (let second = 0; ; second++) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: "wx" });
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const owner = readJson(lockFile) ?? 0;
    // Without a pid its owner is between creating and writing it, or died there: a second is enough to tell.
    if (owner ? !isRunning(owner) : second > 0) rmSync(lockFile, { force: true });
    else if (second === 0) console.log("belay: waiting for another set-up of this clone");
    else if (second > WAIT_MAX_SECONDS)
      throw new SetupError(`another set-up (process ${owner}) does not end`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  }
}

function setUp(publish) {
  installDependencies(root);
  linkCommand();
  const protobuf =
    fingerprint("proto", ".proto") + hashFiles(["buf.gen.yaml", "buf.yaml", "package-lock.json"]);
  buildStep("protobuf", protobuf, "src/protocol/gen", generateProtobuf);
  const configs = hashFiles(["tsconfig.base.json", "tsconfig.build.json", "package-lock.json"]);
  const sources = fingerprint("src", ".ts") + configs;
  if (publish) compile([]);
  else buildStep("dist", sources, "dist", () => compile(transpileOnly));
}

function main() {
  const argument = process.argv[2];
  try {
    takeLock();
    try {
      if (argument === undefined || argument === "--publish") setUp(argument === "--publish");
      else installDependencies(join(root, argument));
    } finally {
      rmSync(lockFile, { force: true });
    }
  } catch (error) {
    if (!(error instanceof SetupError) && !error?.code) throw error;
    console.error(`belay: set-up failed: ${error.message}`);
    process.exitCode = 1;
  }
}

main();
