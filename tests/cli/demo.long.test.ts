// `npm run demo`, the whole tour, with the clients that are installed: what it says is true, and it leaves nothing behind.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { missing as missingFfmpeg } from "../../examples/dai-ingest/ffmpeg.ts";
import { isThere, namedProcesses, runTour } from "./tour-process.ts";

const isLinux = existsSync("/proc/self/stat");

/** For each system: its heading, and how the work stopped. */
const systems: readonly [id: string, work: RegExp, receipt: RegExp][] = [
  ["yandex", /work +thread \d+ "yandex.recogniz" of process \d+, since/, /HANDLER_STOPPED, mechanism SIGNAL/],
  ["vault", /work +thread \d+ "vault.count-art" of process \d+, since/, /HANDLER_STOPPED, mechanism SIGNAL/],
  ["dai", /work +process \d+, since [\d:]+ UTC: ffmpeg/, /PROCESS_EXITED, mechanism SIGTERM/],
  ["automl", /work +thread \d+ "automl.create-m" of process \d+, since/, /HANDLER_STOPPED, mechanism SIGNAL/],
  ["default", /work +process \d+, since [\d:]+ UTC: sh countdown.sh/, /PROCESS_EXITED, mechanism SIGKILL/],
];

/** The stops after them: what each must have said. */
const scenes: readonly [id: string, ...said: RegExp[]][] = [
  [
    "worker",
    /work +process \d+, since [\d:]+ UTC: sh countdown.sh/,
    /explain +It is being cancelled: /,
    /gone +process \d+ \(sh\), .*\(the worker\), \d+ ms later/,
    /nobody has told the server: the operation is CANCELLING/,
    /operation +CANCELLED, \d+ ms after the kill/,
    /evidence LEASE_EXPIRED, mechanism LEASE/,
  ],
  [
    "family",
    /preview .*: 4 operations would stop/,
    /gone +process \d+ \(ffmpeg\), process \d+ \(ffmpeg\), process \d+ \(ffmpeg\)/,
    /(child +operations\/\S+ dai\.ingest CANCELLED\n +){3}operation +CANCELLED, the last of them/,
  ],
  [
    "many",
    /It has not started: .* for the type exec\.countdown are all in use/,
    /answer +2000 matched, .*\d+ PREVENTED_START, \d+ STOPPING/,
    /operation +all of them are CANCELLED/,
  ],
  ["receipts", /intact: \d+ entries, signed by \S+\n/, /BROKEN: line \d+: entry \d+ does not have the hash/],
];

test("the tour cancels an operation of every system and stops whatever else it starts, and all work is gone", async (t) => {
  const { code, stdout, stderr, left } = await runTour(t, ["--watch", "500ms"]);
  assert.equal(code, 0, stdout + stderr);
  assert.equal(stderr, "");
  const canCut = missingFfmpeg() === null;
  const expected = systems.filter(([id]) => canCut || id !== "dai");
  const further = scenes.filter(([id]) => canCut || id !== "family");
  const count = expected.length + further.length;
  const sections = stdout.split(/\n(?=\d\/\d )/).slice(1);
  assert.equal(sections.length, count, stdout);
  for (const [index, [id, ...said]] of further.entries()) {
    const section = sections[expected.length + index] ?? "";
    assert.match(section, new RegExp(`^${expected.length + index + 1}/${count} ${id}: `));
    for (const pattern of said) assert.match(section, pattern);
  }
  for (const [index, [id, work, receipt]] of expected.entries()) {
    const section = sections[index] ?? "";
    t.diagnostic(`${id}: ${/client +(.*)/.exec(section)?.[1]}`);
    assert.match(section, new RegExp(`^${index + 1}/${count} ${id}: `));
    if (isLinux) assert.match(section, work);
    assert.match(section, /gone +\S/);
    assert.match(section, /operation +\{.*"done":true,"error":\{"code":1,"message":"operation cancelled by/);
    assert.match(section, /receipt +CANCELLED, by anonymous/);
    assert.match(section, receipt);
  }
  assert.match(stdout, new RegExp(`\n${count} of ${count} ended as they should`));
  assert.equal(stdout.includes("\u001b"), false, "no colours without a terminal");
  const named = namedProcesses(stdout);
  assert.ok(named.length > count);
  assert.deepEqual(named.filter(isThere), []);
  assert.deepEqual(left, []);
});
