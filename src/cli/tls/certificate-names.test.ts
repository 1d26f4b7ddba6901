import assert from "node:assert/strict";
import { test } from "node:test";
import { readNames, withYandexNames, yandexNames } from "./certificate-names.ts";

const good: readonly [text: string, kind: "dns" | "ip", value: string][] = [
  ["localhost", "dns", "localhost"],
  ["Vault.GoogleAPIs.com", "dns", "vault.googleapis.com"],
  ["*.api.cloud.yandex.net", "dns", "*.api.cloud.yandex.net"],
  ["müller.example", "dns", "xn--mller-kva.example"],
  ["a_b.example", "dns", "a_b.example"],
  ["127.0.0.1", "ip", "127.0.0.1"],
  ["::1", "ip", "::1"],
  ["[2001:DB8::0:1]", "ip", "2001:db8::1"],
];

for (const [text, kind, value] of good) {
  test(`${text} is the ${kind} name ${value}`, () => {
    assert.deepEqual(readNames([text]), [{ kind, value }]);
  });
}

const wrong = [
  "",
  "a b",
  "a,b",
  "-a.example",
  "a-.example",
  "a..b",
  "a.example.",
  "*",
  "*.com",
  "a.*.example",
  "*.*.example",
  "https://a.example",
  "a.example:443",
  "127.0.0.1/8",
  "1.2.3",
  `${"a".repeat(64)}.example`,
  `${"a.".repeat(130)}b`,
];

for (const text of wrong) {
  test(`${JSON.stringify(text.slice(0, 30))} is refused as a name`, () => {
    assert.throws(() => readNames([text]), /is neither a host name nor an address/);
  });
}

test("repeated names, and those that a wildcard covers, are left out; the wildcard's own name is not covered", () => {
  const texts = ["a.example", "b.a.example", "c.b.a.example", "*.a.example", "A.example", "::1", "0:0::1"];
  assert.deepEqual(
    readNames(texts).map(({ value }) => value),
    ["a.example", "c.b.a.example", "*.a.example", "::1"],
  );
});

test("the host of a Yandex service brings the names of all of them; any other host does not", () => {
  assert.deepEqual(withYandexNames(["Operation.api.cloud.yandex.net"]), [
    "Operation.api.cloud.yandex.net",
    ...yandexNames,
  ]);
  assert.deepEqual(withYandexNames(["api.cloud.yandex.net"]), ["api.cloud.yandex.net", ...yandexNames]);
  assert.deepEqual(withYandexNames(["evilapi.cloud.yandex.net"]), ["evilapi.cloud.yandex.net"]);
});
