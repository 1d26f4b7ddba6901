// The dev-mode guards over real connections, on every way in.
import assert from "node:assert/strict";
import { connect } from "node:http2";
import { after, before, test } from "node:test";
import { createLogger } from "../../../src/base/logger.ts";
import { createServer } from "../../../src/server/server.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";
import { rawRequest } from "./raw-http.ts";

let world: LroWorld;
before(async () => {
  world = await startWorld();
});
after(() => world[Symbol.asyncDispose]());

const rows: readonly [string, Record<string, string>, number][] = [
  ["localhost", { host: "localhost" }, 200],
  ["an address of 127.0.0.0/8", { host: "127.9.9.9:1" }, 200],
  ["[::1]", { host: "[::1]:8080" }, 200],
  ["a rebound name", { host: "rebind.evil.example:8080" }, 403],
  ["a name that only begins like it", { host: "localhost.evil.example" }, 403],
  [
    "the same origin",
    { host: "localhost:8080", origin: "http://localhost:8080", "sec-fetch-site": "same-origin" },
    200,
  ],
  ["an address typed by hand", { host: "localhost:8080", "sec-fetch-site": "none" }, 200],
  [
    "another site's fetch",
    { host: "localhost:8080", origin: "https://evil.example", "sec-fetch-site": "cross-site" },
    403,
  ],
  ["another site's image", { host: "localhost:8080", "sec-fetch-site": "cross-site" }, 403],
  [
    "another port's page",
    { host: "localhost:8080", origin: "http://localhost:3000", "sec-fetch-site": "same-site" },
    403,
  ],
  ["a sandboxed page", { host: "localhost:8080", origin: "null" }, 403],
];

for (const [who, headers, status] of rows) {
  test(`rest: ${who} is answered ${status}, on every path`, async () => {
    const name = await world.startDone();
    for (const path of ["/v1/operations", `/v1/${name}`, `/belay/v1/${name}`, "/healthz"]) {
      assert.equal((await rawRequest(world.port, "GET", path, { headers })).status, status, path);
    }
  });
}

test("rest: a page of another site cannot cancel, whatever it tries", async () => {
  const name = await world.startRunning();
  const site = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  const tries: readonly [string, string | undefined, Record<string, string>][] = [
    ["a form", "", { ...site, "content-type": "application/x-www-form-urlencoded" }],
    ["a form of text", '{"x":"="}', { ...site, "content-type": "text/plain" }],
    // A browser that sends none of the headers that give it away still cannot send JSON without asking first.
    ["a silent form", '{"x":"="}', { "content-type": "text/plain" }],
    ["a silent form of fields", "x=1", { "content-type": "application/x-www-form-urlencoded" }],
    ["a beacon without type", "{}", {}],
  ];
  for (const [what, body, headers] of tries) {
    const { status } = await rawRequest(world.port, "POST", `/v1/${name}:cancel`, { body, headers });
    assert.ok(status === 403 || status === 415, `${what}: ${status}`);
  }
  assert.equal((await world.engine.get(world.key(name))).record.state, "RUNNING");
  world.finish(name);
});

test("rest: methods and paths that are not served are guarded too", async () => {
  const headers = { host: "rebind.evil.example" };
  for (const [method, path] of [
    ["PURGE", "/v1/operations"],
    ["OPTIONS", "/v1/operations"],
    ["GET", "/nothing"],
    ["GET", "//"],
    ["POST", "/readyz"],
  ] as const) {
    assert.equal((await rawRequest(world.port, method, path, { headers })).status, 403, `${method} ${path}`);
  }
});

test("rest: a refused request is refused before its body is read", async () => {
  const headers = { host: "evil.example", "content-type": "application/json", "content-length": "1000000" };
  const { status } = await rawRequest(world.port, "POST", "/v1/operations", {
    body: " ".repeat(1_000_000),
    headers,
  });
  assert.equal(status, 403);
});

const authorities: readonly [string, boolean][] = [
  ["localhost:8080", true],
  ["127.0.0.1:1", true],
  ["[::1]:1", true],
  ["rebind.evil.example", false],
];

for (const [authority, isServed] of authorities) {
  test(`grpc: :authority ${authority} is ${isServed ? "served" : "refused"}, on known, unknown and streaming methods`, async () => {
    const session = connect(world.url);
    for (const method of [
      "google.longrunning.Operations/ListOperations",
      "google.longrunning.Operations/NoSuch",
      "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ]) {
      const stream = session.request({
        ":method": "POST",
        ":path": `/${method}`,
        ":authority": authority,
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.end(Buffer.alloc(5));
      const headers = await new Promise<Record<string, unknown>>((resolve) =>
        stream.once("response", resolve),
      );
      assert.equal(headers["grpc-status"] === "7", !isServed, method);
      stream.resume();
      stream.close();
    }
    session.close();
  });
}

test("grpc: the headers of a browser are looked at here too", async () => {
  const session = connect(world.url);
  const stream = session.request({
    ":method": "POST",
    ":path": "/google.longrunning.Operations/ListOperations",
    "content-type": "application/grpc",
    origin: "https://evil.example",
    te: "trailers",
  });
  stream.end(Buffer.alloc(5));
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
  assert.equal(headers["grpc-status"], "7");
  stream.resume();
  session.close();
});

test("without identity the server binds loopback addresses only", () => {
  const { engine } = world;
  const logger = createLogger("silent");
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "example.com", ""]) {
    assert.throws(() => createServer({ engine, logger, host }), /loopback/, host);
  }
  for (const host of ["127.0.0.1", "127.0.0.2", "localhost", "::1", "[::1]"])
    createServer({ engine, logger, host });
});
