import assert from "node:assert/strict";
import { test } from "node:test";
import { formatServerAddress, parseServerAddress } from "./server-address.ts";

const addresses: readonly (readonly [string, string])[] = [
  ["127.0.0.1:8080", "127.0.0.1:8080"],
  ["localhost", "localhost:8080"],
  ["http://localhost:9000", "localhost:9000"],
  ["http://localhost:9000/", "localhost:9000"],
  ["HTTP://Example.test:1", "example.test:1"],
  // URL forgets port 80, the default of http.
  ["http://example.test:80", "example.test:80"],
  ["https://localhost:9000", "localhost:9000"],
  ["https://example.test", "example.test:443"],
  ["HTTPS://example.test:443/", "example.test:443"],
  ["[::1]:9000", "[::1]:9000"],
  ["[::1]", "[::1]:8080"],
];

for (const [text, expected] of addresses) {
  test(`the address ${text} is ${expected}`, () => {
    assert.equal(formatServerAddress(parseServerAddress(text)), expected);
  });
}

test("only https:// is TLS", () => {
  const texts = ["https://a:1", "HTTPS://a", "http://a:1", "a:443", "a"];
  assert.deepEqual(
    texts.map((text) => parseServerAddress(text).isTls),
    [true, true, false, false, false],
  );
});

for (const text of [
  "",
  ":",
  "host:port",
  "host:0",
  "host:65536",
  "ftp://host:1",
  "unix:/x",
  "host/path",
  "a b",
  "user@host",
]) {
  test(`the address ${JSON.stringify(text)} is refused`, () => {
    assert.throws(() => parseServerAddress(text), TypeError);
  });
}
