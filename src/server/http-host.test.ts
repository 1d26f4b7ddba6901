// Host headers as they come over the wire, through Node's own parser.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, before, test } from "node:test";
import { RpcError } from "../base/rpc-error.ts";
import { checkHostHeader } from "./http-host.ts";

const server = createServer({ requireHostHeader: false }, (request, response) => {
  response.setHeader("connection", "close");
  try {
    checkHostHeader(request);
    response.end("passed");
  } catch (error) {
    assert.ok(error instanceof RpcError && error.reason === "MALFORMED_HTTP");
    response.end(error.message);
  }
});

before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
after(() => server.close());

async function answerTo(lines: readonly string[]): Promise<string> {
  const client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  client.setEncoding("latin1");
  let text = "";
  client.on("data", (chunk: string) => {
    text += chunk;
  });
  client.write(`${lines.join("\r\n")}\r\n\r\n`);
  await once(client, "close");
  // The body, without the frames of a chunked one.
  return text.slice(text.indexOf("\r\n\r\n") + 4).replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, "");
}

const missing = "the HTTP request is malformed: it has no Host header";
const several = "the HTTP request is malformed: it has 2 Host headers";
const strange = "the HTTP request is malformed: its Host header is no host and port";

const rows: readonly [what: string, lines: readonly string[], answer: string][] = [
  ["HTTP/1.1 with a Host", ["GET / HTTP/1.1", "Host: localhost:8080"], "passed"],
  ["HTTP/1.1 without one", ["GET / HTTP/1.1"], missing],
  ["HTTP/1.0 without one", ["GET / HTTP/1.0"], "passed"],
  ["two of them", ["GET / HTTP/1.1", "Host: localhost", "Host: evil.example"], several],
  ["two of them in other letters", ["GET / HTTP/1.1", "HOST: localhost", "accept: */*", "hOsT: a"], several],
  ["the same one twice", ["GET / HTTP/1.1", "Host: localhost", "Host: localhost"], several],
  ["two of them on HTTP/1.0", ["GET / HTTP/1.0", "Host: localhost", "Host: a"], several],
  // The value of a header, and one that only begins like it, do not count.
  ["Host as a value", ["GET / HTTP/1.1", "Host: localhost", "via: host"], "passed"],
  ["X-Host beside it", ["GET / HTTP/1.1", "Host: localhost", "x-host: a", "hosts: b"], "passed"],
  ["an address", ["GET / HTTP/1.1", "Host: 127.0.0.1"], "passed"],
  ["an IPv6 address", ["GET / HTTP/1.1", "Host: [::1]:8080"], "passed"],
  ["an IPv6 address without brackets", ["GET / HTTP/1.1", "Host: ::1"], strange],
  ["an empty one", ["GET / HTTP/1.1", "Host:"], "passed"],
  ["a list of hosts", ["GET / HTTP/1.1", "Host: localhost, evil.example"], strange],
  ["a list without a space", ["GET / HTTP/1.1", "Host: localhost,evil.example"], strange],
  ["user information", ["GET / HTTP/1.1", "Host: localhost@evil.example"], strange],
  ["a path", ["GET / HTTP/1.1", "Host: localhost/evil"], strange],
  ["a space", ["GET / HTTP/1.1", "Host: local host"], strange],
  ["a port that is none", ["GET / HTTP/1.1", "Host: localhost:80a"], strange],
];

for (const [what, lines, answer] of rows) {
  test(`${what}: ${answer.replace("the HTTP request is malformed: ", "")}`, async () => {
    assert.equal(await answerTo(lines), answer);
  });
}
