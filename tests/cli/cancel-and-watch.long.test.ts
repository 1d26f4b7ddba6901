// The commands around a cancel, as processes against one server: previews, many at once, by filter, watching, explaining,
// running again, and the chain of receipts.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  BelayProcess,
  belayCommand,
  type RunningServer,
  type RunResult,
  runBelay,
  serverOfSuite,
} from "./belay-process.ts";

const operationsFile = fileURLToPath(new URL("./operations.ts", import.meta.url));

describe("cancelling and watching", () => {
  let server: RunningServer;

  serverOfSuite(["--operations", operationsFile], (started) => (server = started));

  const env = (): Record<string, string> => ({ BELAY_SERVER: server.address });
  const run = (...args: string[]): Promise<RunResult> => runBelay(args, { env: env() });
  const process = (...args: string[]): BelayProcess =>
    new BelayProcess([...belayCommand, ...args], { env: env() });
  const start = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run("start", ...args);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };

  test("a chain without receipts names no tenant", async () => {
    const { code, stdout } = await run("receipt", "--verify");
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /tenant/);
  });

  test("cancel --preview says what would stop, and changes nothing", async () => {
    const name = await start("test.hold");
    const preview = await run("cancel", name, "--preview");
    assert.equal(preview.code, 0, preview.stderr);
    assert.match(preview.stdout, /^verdict +(STOPPING|PREVENTED_START): /m);
    assert.match(preview.stdout, new RegExp(`^would stop +${name} test.hold `, "m"));
    assert.equal(JSON.parse((await run("get", name, "--json")).stdout).cancellation, undefined);
    await run("cancel", name);
  });

  test("cancel of several says each verdict; one that is missing stops none of the others", async () => {
    const names = await Promise.all([start("test.hold"), start("test.hold")]);
    const missing = "operations/opr00000000000000000";
    const { code, stderr } = await run("cancel", ...names, missing, "--reason", "wrong", "--wait");
    assert.equal(code, 4, stderr);
    for (const name of names) {
      assert.match(stderr, new RegExp(`^${name} (STOPPING|PREVENTED_START): `, "m"));
      assert.match((await run("get", name)).stdout, /^state +CANCELLED$/m);
    }
    assert.match(stderr, /^belay: operation operations\/opr0{17} is not found$/m);
  });

  test("cancel --filter is an operation of its own, and prints what it met", async () => {
    await Promise.all([1, 2, 3].map(() => start("test.hold", "--label", "set=many")));
    const preview = await run("cancel", "--filter", "labels.set = many", "--preview");
    assert.match(preview.stdout, /^3 unfinished operations match$/m);
    const cancelled = await run("cancel", "--filter", "labels.set = many", "--reason", "enough");
    assert.equal(cancelled.code, 0, cancelled.stderr);
    assert.match(cancelled.stderr, /^operations\/\S+ cancels what matches; /);
    assert.match(cancelled.stdout, /^matched +3$/m);
    assert.match(cancelled.stdout, /^- (STOPPING|PREVENTED_START) +[1-3]$/m);
  });

  test("cancel --filter --wait waits for the work that it told to stop, whatever the filter says of it then", async () => {
    const names = await Promise.all([1, 2].map(() => start("test.linger", "--label", "set=slow")));
    await Promise.all(names.map((name) => process("watch", name).says("stdout", /RUNNING/)));
    const filter = "labels.set = slow AND state = RUNNING";
    const cancelled = await run("cancel", "--filter", filter, "--wait");
    assert.equal(cancelled.code, 0, cancelled.stderr);
    for (const name of names) assert.match(cancelled.stdout, new RegExp(`${name} CANCELLED`));
    for (const name of names) assert.match((await run("get", name)).stdout, /^state +CANCELLED$/m);
  });

  test("what is wrong with a filter is told at its own column", async () => {
    for (const args of [["watch"], ["cancel"], ["cancel", "--preview"], ["cancel", "--wait"]]) {
      const { code, stderr } = await run(...args, "--filter", "bad = 1");
      assert.notEqual(code, 0);
      assert.match(stderr, /column 1: /);
    }
  });

  test("cancel takes names or a filter", async () => {
    const both = await run("cancel", "opr00000000000000000", "--filter", "done = false");
    assert.match(both.stderr, /name operations, or give a --filter: not both/);
  });

  test("watch shows each change of what is named, and exits with how it ended", async () => {
    const until = join(server.folder, "watched");
    const name = await start("test.hold", "--payload", JSON.stringify({ until }));
    const watch = process("watch", name);
    await watch.says("stdout", /RUNNING 42% page 3 of 7/);
    writeFileSync(until, "");
    const { code, stdout } = await watch.end();
    assert.equal(code, 0);
    const said = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(/^\S+ /, ""));
    assert.deepEqual(said, [...new Set(said)]);
    assert.match(stdout.trimEnd().split("\n").at(-1)!, new RegExp(`${name} SUCCEEDED {"held":true}$`));
  });

  test("watch exits with 0 when its reader has gone", async () => {
    const until = join(server.folder, "unread");
    const name = await start("test.hold", "--payload", JSON.stringify({ until }));
    const watch = process("watch", name);
    await watch.says("stdout", /RUNNING/);
    watch.child.stdout!.destroy();
    await run("cancel", name);
    assert.equal((await watch.end()).code, 0);
  });

  test("watch --json can be resumed after any event", async () => {
    const name = await start("test.echo", "--wait").then((text) => /operations\/\S+/.exec(text)![0]);
    const lines = (await run("watch", name, "--json")).stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ type, event }) => [type, event?.state]),
      [["present", "SUCCEEDED"]],
    );
    const again = process("watch", "--resume", lines[0].resumeToken, "--json");
    const next = await start("test.echo");
    await again.says("stdout", new RegExp(`"name":"${next}","state":"SUCCEEDED"`));
    again.child.kill("SIGINT");
    assert.equal((await again.end()).code, 130);
  });

  test("watch of what does not exist exits with 4", async () => {
    assert.equal((await run("watch", "operations/opr00000000000000000")).code, 4);
  });

  test("explain says why; workers lists the server's own; rerun starts anew", async () => {
    const name = await start("test.hold", "--delay", "1h");
    const explained = await run("explain", name);
    assert.match(explained.stdout, /^because +NOT_DUE: /m);
    const held = await start("test.hold");
    await process("watch", held).says("stdout", /RUNNING/);
    const because = /^because .*$/m.exec((await run("explain", held)).stdout)![0];
    assert.equal(because.match(/ses[a-z0-9]{10,}/g)?.length, 1, because);
    const preview = (await run("cancel", held, "--preview")).stdout;
    assert.match(preview, /runs inline in its worker can only be told: .* STOP_UNCONFIRMED/);
    await run("cancel", held, "--wait");
    assert.doesNotMatch((await run("cancel", held, "--preview")).stdout, /^(note|ends by|usually takes)/m);
    assert.match((await run("workers")).stdout, /in the server/);
    const cancelled = await run("cancel", name, "--wait");
    assert.match(cancelled.stdout, /evidence NEVER_STARTED/);
    const again = (await run("rerun", name)).stdout.trim();
    assert.match((await run("get", again)).stdout, new RegExp(`^rerun of +${name}$`, "m"));
    assert.equal((await run("cancel", again, "--force", "--wait")).code, 0);
    const released = await run("release-held", again, "--reason", "it is gone");
    assert.equal(released.code, 7);
    assert.match(released.stderr, /holds nothing/);
  });

  test("the chain of receipts is exported and verified; a changed entry is found", async () => {
    const name = await start("test.hold");
    await run("cancel", name, "--reason", "for the record", "--wait");
    const file = join(server.folder, "receipts.jsonl");
    assert.equal((await run("receipt", "--export", file)).code, 0);
    const intact = await run("receipt", "--verify", file, "--json");
    assert.equal(intact.code, 0, intact.stdout);
    const keys = JSON.parse(intact.stdout).keyIds as string[];
    assert.equal((await run("receipt", "--verify", "--trusted-key", keys[0]!)).code, 0);
    assert.equal((await run("receipt", "--verify", file, "--trusted-key", "another")).code, 10);
    const forged = join(server.folder, "forged.jsonl");
    writeFileSync(forged, readFileSync(file, "utf8").replace("for the record", "for the recorD"));
    const found = await run("receipt", "--verify", forged);
    assert.equal(found.code, 10);
    assert.match(found.stdout, /^chain +BROKEN$/m);
    assert.match(found.stdout, /^changed +line \d+: /m);
  });
});
