import assert from "node:assert/strict";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RecordingConnection } from "../testing/recording-connection.ts";
import { temporaryFolder } from "../testing/test-worker.ts";
import { defineOperation } from "./define-operation.ts";
import { resolveOptions, type WorkerOptions } from "./worker-options.ts";

const handlers = [defineOperation({ type: "a.b", graceMs: 7 }, async () => undefined)];
const connection = new RecordingConnection();

/** The system's temporary folder is one of the test's own meanwhile. */
function withTemporaryFolder(t: TestContext): string {
  const folder = temporaryFolder(t);
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  t.after(() => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  });
  return folder;
}

test("a worker takes exactly one of server and connection", () => {
  const message = "a worker takes exactly one of server and connection";
  assert.throws(() => resolveOptions({ handlers }), new TypeError(message));
  const both: WorkerOptions = { handlers, connection, server: "127.0.0.1:8080" };
  assert.throws(() => resolveOptions(both), new TypeError(message));
});

test("a connection of one's own is taken as it is, and everything else has a default", async (t) => {
  withTemporaryFolder(t);
  const resolved = resolveOptions({ handlers, connection });
  assert.equal(await resolved.connect(resolved.logger), connection);
  assert.equal(resolved.policies["a.b"]?.cancel.graceMs, 7);
  assert.equal(resolved.guarded, true);
  assert.equal(resolved.build, "");
  assert.ok(resolved.slots >= 10);
  assert.equal(resolved.logger.level, "info");
});

test("the records of commands are kept in a folder of this user alone", (t) => {
  const folder = withTemporaryFolder(t);
  const { processFolder } = resolveOptions({ handlers, connection, name: "a/b" });
  assert.match(processFolder, /worker-a%2Fb$/);
  assert.ok(processFolder.startsWith(tmpdir()));
  const own = join(processFolder, "..");
  assert.equal(statSync(own).mode & 0o777, 0o700);
  chmodSync(own, 0o777);
  assert.throws(() => resolveOptions({ handlers, connection }).processFolder, /only this user writes to/);
  mkdirSync(join(folder, "mine"));
  const named = resolveOptions({ handlers, connection, processFolder: join(folder, "mine") });
  assert.equal(named.processFolder, join(folder, "mine"));
});
