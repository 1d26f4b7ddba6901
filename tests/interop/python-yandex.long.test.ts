// The Python SDK of Yandex Cloud, from PyPI: the documentation's sample, unchanged but for the operation's id, and the SDK at
// an endpoint of one's own with an OAuth token and with a service account.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makePythonEnvironment, runPython } from "./python/python-clients.ts";
import { runCommand, sampleFor } from "./sample-run.ts";
import { OAUTH_SUBJECT, startYandexWorld, type YandexWorld } from "./yandex-world.ts";

const CANCELLED = 1;
const SAMPLE = "cancel-operation.py.txt";

let python: string;
let world: YandexWorld;
let folder: string;
before(async () => {
  python = makePythonEnvironment();
  world = await startYandexWorld();
  folder = mkdtempSync(join(tmpdir(), "belay-python-"));
});
after(async () => {
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function runSample(operationId: string): Promise<Awaited<ReturnType<typeof runCommand>>> {
  const file = join(folder, "sample.py");
  writeFileSync(file, sampleFor(SAMPLE, operationId));
  return await runCommand(python, [file], world.env);
}

test("the page's sample cancels the running operation and prints it; the work has stopped", async () => {
  const id = await world.start();
  const pid = await world.server.heartbeats.working(id);
  world.proxy.hosts.length = 0;
  const run = await runSample(id);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, new RegExp(`^id: "${id}"$`, "m"));
  assert.match(run.stdout, new RegExp(`^created_by: "${OAUTH_SUBJECT}"$`, "m"));
  const wanted = ["api.cloud.yandex.net", "iam.api.cloud.yandex.net", "operation.api.cloud.yandex.net"];
  assert.deepEqual([...new Set(world.proxy.hosts)].sort(), wanted);
  const operation = await world.untilDone(id);
  await world.server.heartbeats.assertStopped(id, pid);
  assert.equal(operation.error?.code, CANCELLED);
});

test("the page's sample prints the done operation unchanged, and raises NOT_FOUND for an unknown id", async () => {
  const id = await world.start("interop.nap");
  await world.untilDone(id);
  const late = await runSample(id);
  assert.equal(late.code, 0, late.stderr);
  assert.match(late.stdout, /^done: true$/m);
  assert.match(late.stdout, /^response \{$/m);
  const unknown = await runSample("ybl00000000000000000");
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /StatusCode\.NOT_FOUND/);
});

interface Session {
  id: string;
  "created by": string;
  done: boolean;
  "cancelled id": string;
  wait: { details: string };
  "error code": number;
  unchanged: boolean;
  text: string;
  unknown: { code: string; details: string };
}

interface Report {
  version: string;
  oauth: Session;
  "service account": Session;
  refused: { code: string };
}

test("the SDK starts, waits, cancels and reads results by its own endpoint and CA", async (t) => {
  const keyFile = join(folder, "key.json");
  const { serviceAccountId, accessKeyId, privateKey } = world.serviceAccount;
  const key = { id: accessKeyId, service_account_id: serviceAccountId, private_key: privateKey };
  writeFileSync(keyFile, JSON.stringify(key));
  const env = { YC_OAUTH_TOKEN: world.oauthToken };
  const args = [`localhost:${world.endpoint.port}`, world.tls.ca, keyFile];
  const script = runPython(python, "yandex_client.py", args, env);
  const pids: number[] = [];
  for (let count = 0; count < 2; count++) {
    const { started } = await script.next<{ started: string }>();
    pids.push(await world.server.heartbeats.working(started));
    script.proceed();
  }
  const report = await script.next<Report>();
  await script.ended();
  t.diagnostic(`yandexcloud ${report.version}`);
  const sessions = [report.oauth, report["service account"]];
  for (const [index, session] of sessions.entries()) {
    await world.server.heartbeats.assertStopped(session.id, pids[index]!);
    assert.equal(session["created by"], index === 0 ? OAUTH_SUBJECT : world.serviceAccountId);
    assert.deepEqual([session.done, session["cancelled id"]], [false, session.id]);
    assert.match(session.wait.details, /Error code: 1\./);
    assert.equal(session["error code"], CANCELLED);
    assert.equal(session.unchanged, true);
    assert.equal(session.text, "Dear Ada");
    assert.equal(session.unknown.code, "NOT_FOUND");
  }
  assert.equal(report.refused.code, "UNAUTHENTICATED");
});
