// REST as real clients speak it: bodies that are empty, missing or echo the name, trailing `?`, escapes, system
// parameters, HEAD, method override. Each row says which client does it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type LroWorld, startWorld } from "./lro-world.ts";
import { type RawResponse, rawBytes, rawRequest } from "./raw-http.ts";

let world: LroWorld;
before(async () => {
  world = await startWorld();
});
after(() => world[Symbol.asyncDispose]());

const JSON_TYPE = { "content-type": "application/json" };

function send(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = body === undefined ? {} : JSON_TYPE,
): Promise<RawResponse> {
  return rawRequest(world.port, method, path, { body, headers });
}

const cancelBodies: readonly [string, string | undefined, Record<string, string>][] = [
  ["curl -X POST: no body, no content-length", undefined, {}],
  ["googleapis: content-length 0, no content-type", undefined, { "content-length": "0" }],
  ["Python: content-type with content-length 0", undefined, { ...JSON_TYPE, "content-length": "0" }],
  ["gax: {}", "{}", JSON_TYPE],
  ["white space around it", " { } \n", JSON_TYPE],
  ["a charset", "{}", { "content-type": "application/json; charset=utf-8" }],
  ["letters of any case", "{}", { "content-type": "Application/JSON" }],
  ["chunked and empty", undefined, { ...JSON_TYPE, "transfer-encoding": "chunked" }],
  // A body-less request needs no content type, and may have a wrong one.
  [
    "a form without fields",
    undefined,
    { "content-type": "application/x-www-form-urlencoded", "content-length": "0" },
  ],
];

for (const [who, body, headers] of cancelBodies) {
  test(`:cancel takes ${who}`, async () => {
    const name = await world.start("test.parked");
    const { status, text, headers: received } = await send("POST", `/v1/${name}:cancel`, body, headers);
    assert.deepEqual([status, text, received["belay-cancel-verdict"]], [200, "{}", "PREVENTED_START"]);
  });
}

test(":cancel takes the same name in its body, as Go clients send it", async () => {
  const name = await world.start("test.parked");
  const body = JSON.stringify({ name });
  const path = `/v1/${name}:cancel?%24alt=json%3Benum-encoding%3Dint`;
  assert.deepEqual((await send("POST", path, body)).text, "{}");
});

const refusedBodies: readonly [string, (name: string) => string][] = [
  ["another name", () => `{"name": "operations/other"}`],
  ["an unknown field", (name) => JSON.stringify({ name, force: true })],
  ["null", () => "null"],
  ["an array", () => "[]"],
  ["a string", () => `"cancel"`],
  ["two objects", () => "{}{}"],
  ["a name that is a number", () => `{"name": 1}`],
  ["a name given twice", (name) => `{"name": "${name}", "name": "${name}"}`],
  ["bytes that are no UTF-8", () => Buffer.from([0x22, 0xff, 0x22]).toString("latin1")],
];

for (const [what, body] of refusedBodies) {
  test(`:cancel refuses ${what} with 400, and nothing is cancelled`, async () => {
    const name = await world.start("test.parked");
    const { status } = await send("POST", `/v1/${name}:cancel`, body(name));
    assert.equal(status, 400);
    assert.equal((await world.engine.get(world.key(name))).record.state, "PENDING");
  });
}

test("a trailing question mark, as gax sends it, changes nothing", async () => {
  const name = await world.start("test.parked");
  assert.equal((await send("GET", `/v1/${name}?`)).status, 200);
  assert.equal((await send("POST", `/v1/${name}:cancel?`, "{}")).status, 200);
});

const gets: readonly [string, string, Record<string, string>][] = [
  ["$alt=json%3Benum-encoding=int", "?$alt=json%3Benum-encoding=int", {}],
  ["%24alt=json%3Benum-encoding%3Dint", "?%24alt=json%3Benum-encoding%3Dint", {}],
  ["alt=json", "?alt=json", {}],
  ["key, quotaUser, uploadType", "?key=K&quotaUser=q&uploadType=media&%24.xgafv=2", {}],
  ["a content-type without a body", "", { "content-type": "application/json" }],
  ["content-length 0", "", { "content-length": "0" }],
  [
    "the headers of Google clients",
    "",
    { "x-goog-api-client": "gl-node/24", "x-goog-request-params": "name=another" },
  ],
  ["x-http-method-override, which counts on POST only", "", { "x-http-method-override": "DELETE" }],
];

for (const [what, query, headers] of gets) {
  test(`GET takes ${what}`, async () => {
    const name = await world.startDone("test.echo", { a: 1 });
    const { status, text } = await send("GET", `/v1/${name}${query}`, undefined, headers);
    assert.equal(status, 200);
    assert.equal(JSON.parse(text).done, true);
  });
}

test("fields and prettyPrint shape the answer", async () => {
  const name = await world.startDone("test.echo", { a: 1 });
  assert.equal(
    (await send("GET", `/v1/${name}?fields=name,response/value/a`)).text,
    JSON.stringify({ name, response: { value: { a: 1 } } }),
  );
  assert.match((await send("GET", `/v1/${name}?prettyPrint=true`)).text, /^\{\n {2}"name": /);
  assert.ok(!(await send("GET", `/v1/${name}`)).text.includes("\n"));
});

test("enums are numbers where the native surface is asked for them", async () => {
  const name = await world.startDone();
  assert.equal(JSON.parse((await send("GET", `/belay/v1/${name}`)).text).state, "SUCCEEDED");
  assert.equal(
    JSON.parse((await send("GET", `/belay/v1/${name}?$alt=json;enum-encoding=int`)).text).state,
    4,
  );
});

const paths: readonly [string, (id: string) => string, number][] = [
  ["the plain name", (id) => `/v1/operations/${id}`, 200],
  ["an id with an escaped letter", (id) => `/v1/operations/%6f${id.slice(1)}`, 200],
  // One segment stays one segment: an escaped slash never makes a name.
  ["an escaped slash", (id) => `/v1/operations%2F${id}`, 404],
  ["an escaped slash in the id", (id) => `/v1/operations/${id}%2Fx`, 400],
  ["an escaped verb", (id) => `/v1/operations/${id}%3Acancel`, 400],
  ["a dot segment", (id) => `/v1/operations/./${id}`, 400],
  ["an escaped dot segment", (id) => `/v1/operations/%2e%2e/operations/${id}`, 400],
  ["two slashes", (id) => `/v1//operations/${id}`, 400],
  ["a trailing slash", (id) => `/v1/operations/${id}/`, 400],
  ["a backslash", (id) => `/v1/operations\\${id}`, 400],
  ["a semicolon", (id) => `/v1/operations/${id};x`, 400],
  ["a NUL", (id) => `/v1/operations/${id}%00`, 400],
  ["bytes that are no UTF-8", (id) => `/v1/operations/${id}%ff`, 400],
  ["upper case", (id) => `/v1/operations/${id.toUpperCase()}`, 400],
  ["another case of the collection", (id) => `/v1/Operations/${id}`, 404],
];

for (const [what, path, status] of paths) {
  test(`GET with ${what} is ${status}`, async () => {
    const name = await world.start("test.parked");
    const response = await send("GET", path(name.slice("operations/".length)));
    assert.equal(response.status, status, response.text);
    if (status !== 200) JSON.parse(response.text);
  });
}

test("a target that is no path is refused", async () => {
  const { address } = world;
  for (const target of [`ftp://${address}/v1/operations`, address, "*", "v1/operations"]) {
    const text = await rawBytes(
      world.port,
      `GET ${target} HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(text, /^HTTP\/1\.1 400 /, target);
  }
});

test("HEAD is GET without the body, and never has a side effect", async () => {
  const name = await world.startRunning();
  const head = await send("HEAD", `/v1/${name}`);
  const get = await send("GET", `/v1/${name}`);
  assert.deepEqual(
    [head.status, head.text, head.headers["content-length"]],
    [200, "", get.headers["content-length"]],
  );
  const cancel = await send("HEAD", `/v1/${name}:cancel`);
  assert.deepEqual([cancel.status, cancel.headers["allow"]], [405, "POST"]);
  assert.equal((await send("HEAD", "/v1/operations")).status, 200);
  assert.equal((await world.engine.get(world.key(name))).record.state, "RUNNING");
  world.finish(name);
});

const foreignMethods: readonly [string, string, number][] = [
  ["PUT", "/v1/operations/opr1", 405],
  ["PATCH", "/v1/operations/opr1", 405],
  ["OPTIONS", "/v1/operations/opr1", 405],
  ["TRACE", "/v1/operations/opr1", 405],
  ["PURGE", "/v1/operations/opr1", 405],
  ["PROPFIND", "/v1/operations/opr1", 405],
  ["GET", "/v1/operations/opr1:cancel", 405],
];

for (const [method, path, status] of foreignMethods) {
  test(`${method} ${path} is ${status}`, async () => {
    const response = await send(method, path);
    assert.equal(response.status, status);
    assert.ok(response.headers["allow"]);
  });
}

test("X-HTTP-Method-Override on a POST means the method it names, if that is declared there", async () => {
  const name = await world.startDone();
  const override = (method: string): Promise<RawResponse> =>
    send("POST", `/v1/${name}`, undefined, { "x-http-method-override": method });
  assert.equal((await override("PATCH")).status, 405);
  assert.equal(JSON.parse((await override("GET")).text).name, name);
  assert.equal((await override("DELETE")).text, "{}");
  assert.equal((await send("GET", `/v1/${name}`)).status, 404);
});

test("every reply may not be cached, nor guessed at, and has a request id", async () => {
  const name = await world.startDone();
  for (const path of [`/v1/${name}`, "/v1/operations", "/nothing", "/healthz"]) {
    const { headers } = await send("GET", path);
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["content-type"], "application/json; charset=utf-8");
    assert.match(headers["x-request-id"] ?? "", /^[\x21-\x7e]+$/);
  }
});

const requestIds: readonly [string, boolean][] = [
  ["trace-1234/5;o=1", true],
  ["x".repeat(128), true],
  ["x".repeat(129), false],
  ["two words", false],
];

for (const [id, isKept] of requestIds) {
  test(`the request id ${id.slice(0, 20)} (${id.length}) is ${isKept ? "echoed" : "replaced"}`, async () => {
    const { headers } = await send("GET", "/healthz", undefined, { "x-request-id": id });
    assert.equal(headers["x-request-id"] === id, isKept);
  });
}

const malformed: readonly [string, string, number][] = [
  [
    "two lengths",
    "POST /v1/operations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    400,
  ],
  [
    "a length and chunks (smuggling)",
    "POST /v1/operations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
  ["a bare line feed", "GET /healthz HTTP/1.1\nHost: localhost\n\n", 400],
  ["no host", "GET /healthz HTTP/1.1\r\n\r\n", 400],
  ["no HTTP at all", "hello\r\n\r\n", 400],
  ["headers of 20 kB", `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
];

for (const [what, bytes, status] of malformed) {
  test(`${what} is ${status} with an AIP-193 body, and the connection is closed`, async () => {
    const text = await rawBytes(world.port, Buffer.from(bytes, "latin1"));
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
    if (text.includes("\r\n\r\n{")) {
      const { error } = JSON.parse(text.slice(text.indexOf("\r\n\r\n")));
      assert.equal(error.code, status);
    }
  });
}

test("a body of 1 MiB is read, one byte more is 413", async () => {
  const body = (size: number): string => `{"type":"test.echo"${" ".repeat(size - 20)}}`;
  assert.equal((await send("POST", "/v1/operations", body(1_048_576))).status, 200);
  const { status, text } = await send("POST", "/v1/operations", body(1_048_577));
  assert.deepEqual([status, JSON.parse(text).error.code], [413, 413]);
  // The declared length alone is enough.
  const lied = await rawBytes(
    world.port,
    "POST /v1/operations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{",
  );
  assert.match(lied, /^HTTP\/1\.1 413 /);
});

test("many requests on one connection are answered in order", async () => {
  const one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  const text = await rawBytes(world.port, one + one + last);
  assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 3);
});
