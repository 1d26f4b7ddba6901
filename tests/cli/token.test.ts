// belay token: what it prints, what it keeps, and what it refuses.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { decodeJwt } from "jose";
import { runBelay, temporaryFolder } from "./belay-process.ts";

test("belay token prints a token and nothing else, and keeps its key for this user only", async (t) => {
  const cwd = temporaryFolder(t);
  const first = await runBelay(["token"], { cwd });
  assert.deepEqual([first.code, first.stderr], [0, ""]);
  const { iat = 0, exp, jti, ...claims } = decodeJwt(first.stdout.trimEnd());
  assert.deepEqual(claims, { iss: "belay/development", sub: "user:developer", tenant: "default" });
  assert.equal(exp, iat + 3600);
  const keyFile = join(cwd, "belay-data/identity/development-key.json");
  assert.equal(statSync(keyFile).mode & 0o777, 0o600);
  const key = readFileSync(keyFile, "utf8");

  const args = "--principal user:ada --tenant acme --scope a --scope b --grant operations --expires 90s";
  const second = await runBelay(["token", ...args.split(" ")], { cwd });
  const token = decodeJwt(second.stdout.trimEnd());
  assert.deepEqual(
    [token.sub, token["tenant"], token["scope"], token["grants"], (token.exp ?? 0) - (token.iat ?? 0)],
    ["user:ada", "acme", "a b", ["operations"], 90],
  );
  assert.equal(readFileSync(keyFile, "utf8"), key);
});

test("belay token --hash prints the SHA-256 of standard input without its line feed, and keeps nothing", async (t) => {
  const cwd = temporaryFolder(t);
  const token = "a-token-of-16-chars+";
  const { code, stdout } = await runBelay(["token", "--hash"], { cwd, input: `${token}\n` });
  assert.equal(code, 0);
  assert.equal(stdout, `${createHash("sha256").update(token).digest("hex")}\n`);
  assert.ok(!existsSync(join(cwd, "belay-data")));
});

const refused: [args: string[], input: string, message: string][] = [
  [["--hash"], "short\n", "the token is too short (5); use a random one of at least 16 characters"],
  [["--hash"], "a token with spaces in it", "the token has a character that no authorization header takes"],
  [["--hash", "--tenant", "x"], "", "option '--hash' cannot be used with option '--tenant <tenant>'"],
  [["--tenant", "a b"], "", "write 1-63 characters of [A-Za-z0-9._-]"],
  [["--grant", "projects"], "", "write operations, or a parent such as projects/p"],
  [["--scope", "a b"], "", "write one scope, without spaces"],
  [["--expires", "31d"], "", "write a duration of 1s to 30d"],
  [["--principal", ""], "", "write 1-256 characters"],
];

for (const [args, input, message] of refused) {
  test(`belay token ${args.join(" ")} < ${JSON.stringify(input)} is refused`, async (t) => {
    const result = await runBelay(["token", ...args], { cwd: temporaryFolder(t), input });
    assert.deepEqual([result.code, result.stdout], [1, ""]);
    assert.ok(result.stderr.includes(message), result.stderr);
  });
}

test("a key that others can read is not used", async (t) => {
  const cwd = temporaryFolder(t);
  await runBelay(["token"], { cwd });
  chmodSync(join(cwd, "belay-data/identity/development-key.json"), 0o644);
  const { code, stdout, stderr } = await runBelay(["token"], { cwd });
  assert.deepEqual([code, stdout], [8, ""]);
  assert.match(stderr, /can be read by others; chmod 600 it/);
});
