// curl as a user types it, against a real server: start, get, cancel with each body that clients send, and the errors.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { type BelayServer, startBelay, startOperation } from "./belay-server.ts";

const run = promisify(execFile);

const PATIENCE_MS = 15_000;

let server: BelayServer;
before(async () => {
  server = await startBelay();
});
after(async () => {
  await server.stop();
});

interface Answer {
  status: number;
  contentType: string;
  body: Body;
}

interface Body {
  name?: string;
  done?: boolean;
  response?: { "@type": string };
  error?: {
    code: number;
    status: string;
    message: string;
    details: { "@type": string; reason: string; domain: string }[];
  };
  operations?: Body[];
}

/** Runs curl with the arguments and a path of the server. */
async function curl(path: string, ...args: string[]): Promise<Answer> {
  const { stdout } = await run("curl", [
    "-sS",
    "-w",
    "\n%{http_code} %{content_type}",
    ...args,
    server.url + path,
  ]);
  const end = stdout.lastIndexOf("\n");
  const [status = "", ...contentType] = stdout.slice(end + 1).split(" ");
  return {
    status: Number(status),
    contentType: contentType.join(" "),
    body: JSON.parse(stdout.slice(0, end)) as Body,
  };
}

async function untilDone(name: string): Promise<Body> {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    const { body } = await curl(`/v1/${name}`);
    if (body.done) return body;
  }
  assert.fail(`${name} is not done after ${PATIENCE_MS} ms`);
}

const json = ["-H", "content-type: application/json"];

test("start, get, cancel and get again, as the README shows them", async () => {
  const started = await curl("/v1/operations", ...json, "-d", '{"type":"interop.hold"}');
  assert.equal(started.status, 200);
  assert.match(started.contentType, /^application\/json/);
  const name = started.body.name ?? "";
  assert.match(name, /^operations\/[a-z0-9]{20}$/);
  const running = await curl(`/v1/${name}`);
  assert.equal(running.status, 200);
  assert.ok(!running.body.done && !running.body.error && !running.body.response);
  const cancelled = await curl(`/v1/${name}:cancel`, "-X", "POST");
  assert.deepEqual([cancelled.status, cancelled.body], [200, {}]);
  assert.equal((await untilDone(name)).error?.code, 1);
});

test("cancel takes the bodies that Google's clients send", async (t) => {
  const bodies: readonly [what: string, args: (name: string) => string[]][] = [
    ["no body and no content type", () => ["-X", "POST"]],
    ["an empty body, declared as JSON", () => [...json, "-d", ""]],
    ["{}", () => [...json, "-d", "{}"]],
    ["the name", (name) => [...json, "-d", JSON.stringify({ name })]],
    ["{} and a trailing question mark", () => [...json, "-d", "{}"]],
  ];
  for (const [what, args] of bodies) {
    await t.test(what, async () => {
      const name = await startOperation(server, { type: "interop.hold" });
      const suffix = what.includes("question mark") ? "?" : "";
      const answer = await curl(`/v1/${name}:cancel${suffix}`, ...args(name));
      assert.deepEqual([answer.status, answer.body], [200, {}]);
      assert.equal((await untilDone(name)).error?.code, 1);
    });
  }
});

test("cancel refuses any other body with 400, and cancels nothing", async (t) => {
  const bodies = [
    '{"name":"operations/opr000000000000000000"}',
    '{"force":true}',
    "[]",
    "1",
    '"x"',
    "null",
    "{",
    "name=x",
  ];
  for (const body of bodies) {
    await t.test(body, async () => {
      const name = await startOperation(server, { type: "interop.hold" });
      const answer = await curl(`/v1/${name}:cancel`, ...json, "-d", body);
      assert.equal(answer.status, 400);
      assert.equal(answer.body.error?.status, "INVALID_ARGUMENT");
      assert.ok(!(await curl(`/v1/${name}`)).body.done);
    });
  }
});

test("a body that is not declared as JSON is refused", async () => {
  const form = await curl("/v1/operations", "-d", '{"type":"interop.hold"}');
  assert.equal(form.status, 415);
  assert.equal(form.body.error?.details[0]?.reason, "CONTENT_TYPE_REFUSED");
});

test("errors have the body of AIP-193", async () => {
  const { status, body } = await curl("/v1/operations/opr000000000000000000");
  assert.equal(status, 404);
  const { code, status: name, details } = body.error ?? assert.fail("no error");
  assert.deepEqual([code, name], [404, "NOT_FOUND"]);
  assert.equal(details[0]?.["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
  assert.equal(details[0]?.reason, "OPERATION_NOT_FOUND");
  assert.equal(details[0]?.domain, "belayd");
});

test("cancel of what cannot be cancelled is 501", async () => {
  const name = await startOperation(server, { type: "interop.stubborn" });
  const { status, body } = await curl(`/v1/${name}:cancel`, "-X", "POST");
  assert.deepEqual([status, body.error?.status], [501, "UNIMPLEMENTED"]);
});

test("a web page elsewhere cannot cancel", async () => {
  const name = await startOperation(server, { type: "interop.hold" });
  for (const header of ["origin: https://example.com", "host: example.com", "sec-fetch-site: cross-site"]) {
    const { status } = await curl(`/v1/${name}:cancel`, "-X", "POST", "-H", header);
    assert.equal(status, 403, header);
  }
  assert.ok(!(await curl(`/v1/${name}`)).body.done);
});

test("list answers the operations, delete hides one", async () => {
  const name = await startOperation(server, { type: "interop.nap" });
  await untilDone(name);
  const list = await curl("/v1/operations?pageSize=1000");
  assert.ok(list.body.operations?.some((operation) => operation.name === name));
  const deleted = await curl(`/v1/${name}`, "-X", "DELETE");
  assert.deepEqual([deleted.status, deleted.body], [200, {}]);
  assert.equal((await curl(`/v1/${name}`)).status, 404);
});
