// What clients of other makers send that ours do not: compressed bodies, absolute targets, HTTP/1.0, HTTP/2 without
// gRPC, other charsets, names with the root's dot.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type OutgoingHttpHeaders } from "node:http2";
import { after, before, test } from "node:test";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { grpcLroClient, restLroClient } from "./lro-client.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";
import { rawBytes } from "./raw-http.ts";

let world: LroWorld;
before(async () => {
  world = await startWorld();
});
after(() => world[Symbol.asyncDispose]());

interface Answer {
  status: number;
  head: string;
  body: string;
  reason: string | undefined;
  message: string | undefined;
}

/** One request on a connection of its own, byte by byte as it stands. */
async function send(head: string, body: Uint8Array = Buffer.alloc(0)): Promise<Answer> {
  const length = body.length === 0 ? "" : `content-length: ${body.length}\r\n`;
  const bytes = Buffer.concat([Buffer.from(`${head}\r\n${length}connection: close\r\n\r\n`), body]);
  const [headers = "", text = ""] = (await rawBytes(world.port, bytes)).split("\r\n\r\n", 2);
  const status = Number(/^HTTP\/1\.1 (\d+) /.exec(headers)?.[1]);
  const error = status >= 400 ? JSON.parse(text).error : undefined;
  return {
    status,
    head: headers,
    body: text,
    reason: error?.details[0].reason,
    message: error?.message,
  };
}

function post(body: Uint8Array, headers: Record<string, string>): Promise<Answer> {
  const all = { host: "localhost", "content-type": "application/json", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return send(["POST /v1/operations HTTP/1.1", ...lines].join("\r\n"), body);
}

const start = Buffer.from(`{"type":"test.echo","payload":{"a":"${"x".repeat(1000)}"}}`);

for (const [encoding, body] of [
  ["gzip", gzipSync(start)],
  ["GZIP", gzipSync(start)],
  ["x-gzip", gzipSync(start)],
  ["deflate", deflateSync(start)],
  ["identity", start],
  ["", start],
] as const) {
  test(`a body with content-encoding '${encoding}' is taken`, async () => {
    const { status, body: text } = await post(body, { "content-encoding": encoding });
    assert.equal(status, 200, text);
    assert.match(JSON.parse(text).name, /^operations\//);
  });
}

test("an encoding that is not served is 415, with those that are", async () => {
  for (const [encoding, body] of [
    ["br", brotliCompressSync(start)],
    ["gzip, gzip", gzipSync(gzipSync(start))],
    ["constructor", start],
  ] as const) {
    const { status, reason, head, message } = await post(body, { "content-encoding": encoding });
    assert.deepEqual([status, reason], [415, "ENCODING_REFUSED"]);
    assert.equal(message, `content-encoding ${encoding} is refused; send gzip, deflate or identity`);
    assert.match(head, /\r\naccept-encoding: gzip, deflate, identity\r\n/i);
  }
});

test("bytes that are not in the encoding that they claim are INVALID_JSON", async () => {
  for (const body of [start, gzipSync(start).subarray(0, -5), deflateSync(start)]) {
    const { status, reason, message } = await post(body, { "content-encoding": "gzip" });
    assert.deepEqual([status, reason], [400, "INVALID_JSON"]);
    assert.match(message ?? "", /: it is no whole gzip, as its content-encoding says it is$/);
  }
});

test("a small body that inflates beyond the limit is 413", async () => {
  const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024, " "));
  assert.ok(bomb.length < 200_000);
  const { status, reason } = await post(bomb, { "content-encoding": "gzip" });
  assert.deepEqual([status, reason], [413, "PAYLOAD_TOO_LARGE"]);
});

for (const [contentType, isTaken] of [
  ["application/json; charset=utf-8", true],
  ['application/json;CharSet="UTF-8"', true],
  ["application/json; charset=us-ascii", true],
  ["application/json; version=1", true],
  ["application/json; charset=latin1", false],
  ["application/json; charset=utf-16", false],
  ["application/json; charset=utf-8; charset=latin1", false],
  ["application/jsonp", false],
] as const) {
  test(`content-type ${contentType} is ${isTaken ? "taken" : "refused"}`, async () => {
    const { status, reason } = await post(start, { "content-type": contentType });
    assert.deepEqual([status, reason], isTaken ? [200, undefined] : [415, "CONTENT_TYPE_REFUSED"]);
  });
}

const targets: readonly [what: string, head: string, status: number, reason: string | undefined][] = [
  ["an absolute target", "GET http://localhost/v1/operations HTTP/1.1\r\nhost: localhost", 200, undefined],
  [
    "a good absolute target beside a foreign Host",
    "GET http://localhost/v1/operations HTTP/1.1\r\nhost: evil.example",
    200,
    undefined,
  ],
  [
    "a foreign absolute target beside a good Host",
    "GET http://evil.example/v1/operations HTTP/1.1\r\nhost: localhost",
    403,
    "HOST_REFUSED",
  ],
  [
    "an absolute target beside two Hosts",
    "GET http://localhost/v1/operations HTTP/1.1\r\nhost: localhost\r\nhost: localhost",
    400,
    "MALFORMED_HTTP",
  ],
  [
    "an absolute target of another scheme",
    "GET https://localhost/v1/operations HTTP/1.1\r\nhost: localhost",
    400,
    "MALFORMED_HTTP",
  ],
  [
    "an absolute target with a user",
    "GET http://evil@localhost/v1/operations HTTP/1.1\r\nhost: localhost",
    400,
    "INVALID_PATH",
  ],
  [
    "an absolute target of a health check",
    "GET http://localhost/healthz HTTP/1.1\r\nhost: localhost",
    200,
    undefined,
  ],
  ["HTTP/1.0 without Host at /healthz", "GET /healthz HTTP/1.0", 200, undefined],
  ["HTTP/1.0 without Host at /readyz", "GET /readyz HTTP/1.0", 200, undefined],
  ["HTTP/1.0 without Host at a method", "GET /v1/operations HTTP/1.0", 403, "HOST_REFUSED"],
  ["HTTP/1.0 with an absolute target alone", "GET http://localhost/v1/operations HTTP/1.0", 200, undefined],
  ["a name below localhost", "GET /v1/operations HTTP/1.1\r\nhost: any.localhost", 200, undefined],
  ["localhost with the root's dot", "GET /v1/operations HTTP/1.1\r\nhost: localhost.", 200, undefined],
];

for (const [what, head, status, reason] of targets) {
  test(`${what} is answered ${status}`, async () => {
    const answer = await send(head);
    assert.deepEqual([answer.status, answer.reason], [status, reason], answer.body);
  });
}

test("a host that is missing is told as such", async () => {
  const { message } = await send("GET /v1/operations HTTP/1.0");
  assert.match(message ?? "", /^host \(none\) is refused: /);
});

test("a filter and a page token that are refused are named in BadRequest, on both transports", async () => {
  for (const client of [grpcLroClient(world.grpc), restLroClient(world.url)]) {
    await assert.rejects(client.list({ filter: "done =" }), { reason: "INVALID_FILTER", fields: ["filter"] });
    const refused = { reason: "INVALID_PAGE_TOKEN", fields: ["page_token"] };
    await assert.rejects(client.list({ pageToken: "nonsense" }), refused);
  }
});

/** A call over HTTP/2 on a session of its own; answers when the stream is closed. */
async function overHttp2(headers: OutgoingHttpHeaders, body = ""): Promise<[status: unknown, text: string]> {
  const session = connect(world.url);
  const stream = session.request(headers, { endStream: body === "" });
  let status: unknown;
  stream.on("response", (response) => {
    status = response[":status"];
    assert.equal(response["content-type"], "application/json; charset=utf-8");
  });
  stream.on("error", () => {});
  let text = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  if (body !== "") stream.end(body);
  await once(stream, "close");
  session.close();
  return [status, text];
}

for (const [what, headers, body] of [
  ["GET", { ":path": "/v1/operations" }, ""],
  ["POST", { ":path": "/v1/operations", ":method": "POST", "content-type": "application/json" }, "{}"],
  [
    "a large POST",
    { ":path": "/v1/operations", ":method": "POST", "content-type": "text/plain" },
    "x".repeat(1_000_000),
  ],
] as const) {
  test(`REST over HTTP/2 (${what}) is told that it takes HTTP/1.1`, async () => {
    const [status, text] = await overHttp2(headers, body);
    assert.equal(status, 415);
    const { error } = JSON.parse(text);
    assert.equal(error.details[0].reason, "HTTP2_WITHOUT_GRPC");
    assert.match(error.message, /^HTTP\/2 is for gRPC here: content-type \S+ is refused; /);
  });
}

test("HEAD over HTTP/2 is answered without a body", async () => {
  assert.deepEqual(await overHttp2({ ":path": "/", ":method": "HEAD" }), [415, ""]);
});
