// `npm run demo`, the whole tour, with the clients that are installed: what it says is true, and it leaves nothing behind.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { missing as missingFfmpeg } from "../../examples/dai-ingest/ffmpeg.ts";
import { isThere, namedProcesses, runTour } from "./tour-process.ts";

const isLinux = existsSync("/proc/self/stat");

/** For each stop: its heading, and how the work stopped. */
const stops: readonly [id: string, work: RegExp, receipt: RegExp][] = [
  ["yandex", /work +thread \d+ "yandex.recogniz" of process \d+, since/, /HANDLER_STOPPED, mechanism SIGNAL/],
  ["vault", /work +thread \d+ "vault.count-art" of process \d+, since/, /HANDLER_STOPPED, mechanism SIGNAL/],
  ["dai", /work +process \d+, since [\d:]+ UTC: ffmpeg/, /PROCESS_EXITED, mechanism SIGTERM/],
  ["automl", /work +thread \d+ "automl.create-m" of process \d+, since/, /HANDLER_STOPPED, mechanism SIGNAL/],
  ["default", /work +process \d+, since [\d:]+ UTC: sh countdown.sh/, /PROCESS_EXITED, mechanism SIGKILL/],
];

test("the tour cancels an operation of every system, and each one's work is gone", async (t) => {
  const { code, stdout, stderr, left } = await runTour(t, ["--watch", "500ms"]);
  assert.equal(code, 0, stdout + stderr);
  assert.equal(stderr, "");
  const expected = stops.filter(([id]) => id !== "dai" || missingFfmpeg() === null);
  const sections = stdout.split(/\n(?=\d\/\d )/).slice(1);
  assert.equal(sections.length, expected.length, stdout);
  for (const [index, [id, work, receipt]] of expected.entries()) {
    const section = sections[index] ?? "";
    t.diagnostic(`${id}: ${/client +(.*)/.exec(section)?.[1]}`);
    assert.match(section, new RegExp(`^${index + 1}/${expected.length} ${id}: `));
    if (isLinux) assert.match(section, work);
    assert.match(section, /gone +\S/);
    assert.match(section, /operation +\{.*"done":true,"error":\{"code":1,"message":"operation cancelled by/);
    assert.match(section, /receipt +CANCELLED, by anonymous/);
    assert.match(section, receipt);
  }
  assert.match(stdout, new RegExp(`\n${expected.length} of ${expected.length} ended cancelled`));
  assert.equal(stdout.includes("\u001b"), false, "no colours without a terminal");
  const named = namedProcesses(stdout);
  assert.ok(named.length > expected.length);
  assert.deepEqual(named.filter(isThere), []);
  assert.deepEqual(left, []);
});
