// dai.ingest as the worker runs it, with the real ffmpeg. Whether work has stopped is looked up from outside: in the
// process table, and in the folders.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { JsonObject } from "belayd/worker";
import { ExampleRun } from "../example-worker.fixture.ts";
import { checkIngest, ingestCommand, ingestOperations } from "./operations.ts";

const LONG_SECONDS = 40;
let top = "";
let media = "";

before(async () => {
  top = await mkdtemp(join(tmpdir(), "belay-ingest-"));
  media = join(top, "media");
  await mkdir(media);
});

after(() => rm(top, { recursive: true }));

async function newOutput(): Promise<string> {
  return mkdtemp(join(top, "output-"));
}

/** Looks until there is something to see. */
async function until<T>(what: string, look: () => T | Promise<T>): Promise<NonNullable<T>> {
  const endsAt = performance.now() + 30_000;
  for (;;) {
    const seen = await look();
    if (seen) return seen as NonNullable<T>;
    assert.ok(performance.now() < endsAt, `${what}: not in 30 s`);
    await delay(20);
  }
}

/** The living processes whose command line names a folder, with it. */
function processesAt(folder: string): [pid: number, line: string][] {
  const rows = execFileSync("ps", ["-e", "-ww", "-o", "pid=,stat=,args="], { encoding: "utf8" })
    .split("\n")
    .map((row) => /^ *(\d+) +(\S+) +(.*)$/.exec(row))
    .filter((row) => row !== null && !row[2]?.startsWith("Z") && row[3]?.includes(folder));
  return rows.map((row) => [Number(row?.[1]), row?.[3] ?? ""]);
}

/** A zombie is dead: it waits for its parent to look, and runs nothing. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.startsWith("Z");
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Waits until ffmpeg has written a segment there. Answers its pid and that of the command above it. */
async function encoding(output: string): Promise<{ ffmpeg: number; command: number }> {
  await until("a segment", async () => (await filesBelow(output)).find((file) => file.endsWith(".ts")));
  const processes = processesAt(output);
  const [ffmpeg] = processes.find(([, line]) => line.includes("-f hls")) ?? [];
  const [command] = processes.find(([, line]) => line.includes("/dai-ingest/ingest.ts")) ?? [];
  assert.ok(ffmpeg !== undefined && command !== undefined, JSON.stringify(processes));
  return { ffmpeg, command };
}

async function startLong(output: string): Promise<ExampleRun> {
  const run = new ExampleRun();
  const input = { seconds: LONG_SECONDS };
  await run.start(ingestOperations({ media, output }), { type: "dai.ingest", input });
  return run;
}

test("dai.ingest answers its renditions: whole playlists of segments as the master describes them", async () => {
  const output = await newOutput();
  await using run = new ExampleRun();
  const input = { seconds: 6, renditions: ["480p", "360p"] };
  await run.start(ingestOperations({ media, output }), { type: "dai.ingest", input });
  const { response } = await run.reported("complete");
  const made = JSON.parse(String(response?.["stdout"]));
  assert.equal(made.master, "example/master.m3u8");
  assert.ok(Math.abs(made.seconds - 6) < 0.1, `${made.seconds} s`);
  const shapes = made.renditions.map(({ name, width, height, segments, seconds }: JsonObject) => {
    return { name, width, height, segments, seconds };
  });
  assert.deepEqual(shapes, [
    { name: "480p", width: 854, height: 480, segments: 2, seconds: 6 },
    { name: "360p", width: 640, height: 360, segments: 2, seconds: 6 },
  ]);
  assert.equal(
    await readFile(join(output, made.master), "utf8"),
    `#EXTM3U\n#EXT-X-VERSION:3\n${made.renditions
      .map(
        (one: JsonObject) =>
          `#EXT-X-STREAM-INF:BANDWIDTH=${one["bandwidth"]},AVERAGE-BANDWIDTH=${one["averageBandwidth"]},` +
          `RESOLUTION=${one["width"]}x${one["height"]},CODECS="avc1.4d401f,mp4a.40.2"\n${one["playlist"]}\n`,
      )
      .join("")}`,
  );
  // The sequence parameter set of the stream says the codec that the playlist names: Main, level 3.1.
  const segment = await readFile(join(output, "example/480p/00000.ts"));
  assert.ok(segment.includes(Buffer.from([0x67, 0x4d, 0x40, 0x1f])));
  assert.deepEqual(await readdir(join(output, ".partial")), []);
  const percents = run.reports.flatMap((report) => (report.type === "progress" ? [report.percent] : []));
  assert.deepEqual(
    percents,
    [...percents].sort((a, b) => a - b),
  );
  assert.equal(percents.at(-1), 100);
});

test("a cancel ends ffmpeg within the grace and leaves no file", async (t) => {
  const output = await newOutput();
  await using run = await startLong(output);
  const { ffmpeg, command } = await encoding(output);
  const cancelledAt = performance.now();
  run.cancel(5_000);
  const { evidence, mechanism } = await run.reported("stopped");
  const tookMs = performance.now() - cancelledAt;
  t.diagnostic(`stopped after ${tookMs.toFixed(0)} ms`);
  assert.deepEqual({ evidence, mechanism }, { evidence: "PROCESS_EXITED", mechanism: "SIGTERM" });
  assert.ok(tookMs < 3_000, `took ${tookMs} ms`);
  assert.deepEqual([isAlive(ffmpeg), isAlive(command)], [false, false]);
  assert.deepEqual(processesAt(output), []);
  assert.deepEqual(await filesBelow(output), []);
  assert.deepEqual(await readdir(output), [".partial"]);
  assert.deepEqual(run.checkpoint, { phase: "stopped", partialFiles: "removed" });
});

test("a cancel that comes while the output is published waits, and the video is there", async () => {
  const output = await newOutput();
  // What an attempt that was lost had published: so much that removing it takes a while.
  const published = join(output, "example");
  for (let part = 0; part < 100; part++) {
    const folder = join(published, `part-${part}`);
    await mkdir(folder, { recursive: true });
    await Promise.all(Array.from({ length: 100 }, (_, index) => writeFile(join(folder, `${index}.ts`), "")));
  }
  await using run = new ExampleRun();
  const input = { seconds: 2, renditions: ["360p"] };
  await run.start(ingestOperations({ media, output }), { type: "dai.ingest", input });
  await until("it is being removed", async () => (await readdir(published).catch(() => [])).length < 100);
  run.cancel(5_000);
  const { response } = await run.reported("complete");
  const { detail } = await run.reported("cancelPhase", ({ phase }) => phase === "DEFERRED");
  assert.equal(detail, "publishing the renditions");
  assert.equal(JSON.parse(String(response?.["stdout"])).master, "example/master.m3u8");
  assert.deepEqual((await readdir(published)).sort(), ["360p", "master.m3u8"]);
});

test("a cancel while the test clip is made leaves no clip", async () => {
  const [output, empty] = [await newOutput(), await mkdtemp(join(top, "media-"))];
  await using run = new ExampleRun();
  await run.start(ingestOperations({ media: empty, output }), { type: "dai.ingest", input: {} });
  await until("ffmpeg", () => processesAt(output).find(([, line]) => line.includes("testsrc2")));
  run.cancel(5_000);
  await run.reported("stopped");
  assert.deepEqual(processesAt(output), []);
  assert.deepEqual([await filesBelow(output), await filesBelow(empty)], [[], []]);
});

test("what a command that was killed left behind is gone when the next one runs", async () => {
  const output = await newOutput();
  await using run = await startLong(output);
  const { ffmpeg, command } = await encoding(output);
  process.kill(command, "SIGKILL");
  const { error } = await run.reported("fail");
  assert.deepEqual(error, { code: 2, message: "the command was ended by SIGKILL" });
  assert.equal(isAlive(ffmpeg), false);
  assert.ok((await filesBelow(output)).length > 0);

  await using next = new ExampleRun();
  const input = { seconds: 6, renditions: ["360p"] };
  await next.start(ingestOperations({ media, output }), { type: "dai.ingest", input });
  await next.reported("complete");
  assert.deepEqual(await readdir(join(output, ".partial")), []);
});

function startWorker(t: TestContext, output: string): ReturnType<typeof spawn> {
  const fixture = fileURLToPath(new URL("./ingest-worker.fixture.ts", import.meta.url));
  const args = [fixture, media, output, `test-clip-${LONG_SECONDS}s.mp4`];
  const worker = spawn(process.execPath, args, { stdio: "inherit" });
  t.after(() => worker.kill("SIGKILL"));
  return worker;
}

test("after SIGKILL to the server ffmpeg ends, and the next start removes its files", async (t) => {
  const output = await newOutput();
  const worker = startWorker(t, output);
  const { ffmpeg, command } = await encoding(output);
  worker.kill("SIGKILL");
  await once(worker, "exit");
  await until("both are gone", () => !isAlive(ffmpeg) && !isAlive(command));
  assert.ok((await filesBelow(output)).length > 0);

  const module = fileURLToPath(new URL("./operations.ts", import.meta.url));
  const env = { ...process.env, DAI_OUTPUT: output };
  execFileSync(process.execPath, [module], { env, stdio: "pipe" });
  assert.deepEqual(await filesBelow(output), []);
  assert.deepEqual(await readdir(join(output, ".partial")), []);
});

test("a payload that dai.ingest cannot take is refused before anything runs", async () => {
  await writeFile(join(top, "secret.mp4"), "");
  await mkdir(join(top, "media-aside"), { recursive: true });
  await writeFile(join(top, "media-aside/secret.mp4"), "");
  await symlink(join(top, "secret.mp4"), join(media, "link.mp4"));
  await writeFile(join(media, "letter.txt"), "");
  const folders = { media, output: join(top, "unused") };
  const refused = (payload: JsonObject, code: number, message: RegExp): void => {
    assert.throws(() => ingestCommand(folders, payload), { name: "PayloadRefused", code, message });
    const [violation, ...more] = checkIngest(folders, payload);
    assert.match(violation?.description ?? "", message);
    assert.deepEqual(more, []);
  };
  assert.deepEqual(checkIngest(folders, {}), []);
  const all = checkIngest(folders, { x: 1, source: "no.mp4", renditions: [] });
  assert.deepEqual(
    all.map(({ field }) => field),
    ["", "source", "renditions"],
  );
  const elsewhere = [
    "absent.mp4",
    "../secret.mp4",
    "../media-aside/secret.mp4",
    "link.mp4",
    "letter.txt",
    ".",
    "",
  ];
  for (const source of [
    ...elsewhere,
    join(top, "secret.mp4"),
    "/dev/zero",
    "http://example.com/a.mp4",
    7,
    {},
  ]) {
    refused({ source }, 5, /^there is no video .* in the media folder$/);
  }
  for (const seconds of [0, 601, 1.5, "60", -1, []]) {
    refused({ seconds }, 3, /^seconds .* is not a whole number from 1 to 600$/);
  }
  for (const renditions of [[], ["1080p"], "720p", ["720p", "720p"], ["720p", 1], {}]) {
    refused({ renditions }, 3, /^renditions .* is not a list of some of: 720p, 480p, 360p$/);
  }
  refused({ sauce: 1 }, 3, /^the payload has no field "sauce"; it has: source, seconds, renditions$/);
  refused({ source: "a.mp4", seconds: 3 }, 3, /^seconds is for the test clip only/);
});

test("a playlist that calls itself a video is not followed", async () => {
  const output = await newOutput();
  const secret = join(top, "secret.ts");
  await writeFile(secret, "secret");
  await writeFile(join(media, "list.mp4"), `#EXTM3U\n#EXTINF:4,\n${secret}\n#EXT-X-ENDLIST\n`);
  await using run = new ExampleRun();
  const input = { source: "list.mp4" };
  await run.start(ingestOperations({ media, output }), { type: "dai.ingest", input });
  const { error, retryable } = await run.reported("fail");
  assert.match(error.message, /^the command exited with code 1: ingest: its length is not known: /);
  assert.equal(retryable, false);
  assert.deepEqual(await filesBelow(output), []);
  assert.equal(existsSync(join(output, "example")), false);
});
