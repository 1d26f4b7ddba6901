// A server with identity, and the commands as its callers: what docs/guide/identity.md says in its first five minutes.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { pino } from "pino";
import { loadConfig } from "../../src/cli/config/load-config.ts";
import { createAuthenticator } from "../../src/server/auth/authenticator.ts";
import {
  type RunningServer,
  type RunResult,
  runBelay,
  startServer,
  temporaryFolder,
} from "./belay-process.ts";

let server: RunningServer;

before(async (t) => {
  const cwd = temporaryFolder(t as never);
  writeFileSync(join(cwd, "belay.yaml"), "auth:\n  development: true\n");
  server = await startServer(t as never, ["--config", "belay.yaml", "--exec", "nap=sleep 60"], { cwd });
});

async function token(...args: string[]): Promise<string> {
  return (await runBelay(["token", ...args], { cwd: server.folder })).stdout.trimEnd();
}

const belay = (args: string, bearer: string): Promise<RunResult> =>
  runBelay(args.split(" "), { env: { BELAY_SERVER: server.address, BELAY_TOKEN: bearer } });

test("a command without a token is refused, and one with an unknown token", async () => {
  const { code, stderr } = await belay("list", "");
  assert.deepEqual(
    [code, stderr],
    [7, "belay: the call has no credential: send the header authorization: Bearer TOKEN\n"],
  );
  const unknown = await belay("list", "unknown-secret");
  assert.deepEqual(
    [unknown.code, unknown.stderr],
    [7, "belay: the token is refused: it is not known here\n"],
  );
});

test("a token that no header can carry is not repeated", async () => {
  const { code, stderr } = await belay("list", "secret\nsecret");
  assert.deepEqual([code, stderr], [1, "belay: the token has a character that no header can carry\n"]);
});

test("the token's principal starts, cancels and is remembered; another tenant sees nothing of it", async () => {
  const ada = await token("--principal", "user:ada");
  const { name } = JSON.parse((await belay("start exec.nap --json", ada)).stdout) as { name: string };
  const { createdBy } = JSON.parse((await belay(`get ${name} --json`, ada)).stdout) as { createdBy: string };
  assert.equal(createdBy, "user:ada");

  const foreign = await token("--principal", "user:eve", "--tenant", "other");
  const seen = await belay(`get ${name}`, foreign);
  assert.deepEqual([seen.code, seen.stderr], [4, `belay: operation ${name} is not found\n`]);
  assert.equal((await belay(`cancel ${name}`, foreign)).code, 4);
  assert.match((await belay("list", foreign)).stderr, /no operations/);

  const below = await token("--principal", "user:bob", "--grant", "projects/p");
  const denied = await belay(`cancel ${name}`, below);
  assert.equal(denied.code, 7);
  assert.match(
    denied.stderr,
    /Permission 'operations\.cancel' denied on resource '.*' \(or it might not exist\)/,
  );

  const bob = await token("--principal", "user:bob");
  assert.equal((await belay(`cancel ${name} --wait`, bob)).code, 0);
  const receipt = JSON.parse((await belay(`receipt ${name} --json`, bob)).stdout) as { requestedBy: string };
  assert.equal(receipt.requestedBy, "user:bob");
});

test("a token of another data folder is refused", async (t) => {
  const cwd = temporaryFolder(t);
  const stranger = (await runBelay(["token"], { cwd })).stdout.trimEnd();
  const { code, stderr } = await belay("list", stranger);
  assert.deepEqual([code, stderr], [7, "belay: the token is refused: its key is not known\n"]);
});

test("a configuration that nobody can call with ends the start with its place", async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "belay.yaml"), "auth:\n  issuers: []\n");
  const { code, stderr } = await runBelay(["serve", "--config", "belay.yaml", "--port", "0"], { cwd });
  assert.notEqual(code, 0);
  assert.match(stderr, /belay\.yaml.*auth: nobody could call; expected issuers, /);
});

test("every configuration in docs/guide/identity.md is taken", (t) => {
  const cwd = temporaryFolder(t);
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  writeFileSync(join(cwd, "robot.pem"), publicKey.export({ type: "spki", format: "pem" }));
  const guide = readFileSync(new URL("../../docs/guide/identity.md", import.meta.url), "utf8");
  const blocks = [...guide.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, block]) => block ?? "");
  assert.ok(blocks.length >= 5);
  for (const block of blocks) {
    const file = join(cwd, "belay.yaml");
    writeFileSync(file, block);
    const { auth } = loadConfig(file);
    assert.ok(auth);
    createAuthenticator(auth, { folder: join(cwd, "identity"), logger: pino({ level: "silent" }) });
  }
});
