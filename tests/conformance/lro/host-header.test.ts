// One Host header on an HTTP/1.1 request (RFC 9112, 3.2): none, or several, are refused with the body of every other error.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type LroWorld, startWorld } from "./lro-world.ts";
import { rawBytes } from "./raw-http.ts";

let world: LroWorld;
before(async () => {
  world = await startWorld();
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

const rows: readonly [what: string, head: string, status: number, problem: string | null][] = [
  ["none", "GET /v1/operations HTTP/1.1\r\n", 400, "it has no Host header"],
  [
    "two",
    "GET /v1/operations HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n",
    400,
    "it has 2 Host headers",
  ],
  [
    "two, the foreign one first",
    "GET /v1/operations HTTP/1.1\r\nhost: evil.example\r\nhost: localhost\r\n",
    400,
    "it has 2 Host headers",
  ],
  [
    "two on a health check",
    "GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n",
    400,
    "it has 2 Host headers",
  ],
  [
    "one that is no host",
    "GET /v1/operations HTTP/1.1\r\nhost: localhost/v1\r\n",
    400,
    "its Host header is no host and port",
  ],
  ["one", "GET /v1/operations HTTP/1.1\r\nhost: localhost\r\n", 200, null],
];

for (const [what, head, status, problem] of rows) {
  test(`a request with ${what} is answered ${status}`, async () => {
    const reply = await rawBytes(world.port, `${head}connection: close\r\n\r\n`);
    const [headers = "", body = ""] = reply.split("\r\n\r\n", 2);
    assert.match(headers, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.match(headers, /\r\nx-request-id: /i);
    if (problem === null) return;
    const { error } = JSON.parse(body);
    assert.equal(error.message, `the HTTP request is malformed: ${problem}`);
    assert.deepEqual(
      [error.code, error.status, error.details[0].reason],
      [400, "INVALID_ARGUMENT", "MALFORMED_HTTP"],
    );
  });
}

test("HTTP/1.0, which knows no Host, is refused by the guard", async () => {
  const reply = await rawBytes(world.port, "GET /v1/operations HTTP/1.0\r\n\r\n");
  assert.match(reply, /^HTTP\/1\.1 403 /);
  assert.match(reply, /HOST_REFUSED/);
});
