// The dev-mode guard, as a table of who may come in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError } from "../base/rpc-error.ts";
import { createLoopbackGuard, type GuardedCall, isLoopbackAuthority } from "./guard.ts";

const authorities: readonly [string, boolean][] = [
  ["localhost", true],
  ["localhost:8080", true],
  ["LocalHost:8080", true],
  ["127.0.0.1", true],
  ["127.0.0.1:1", true],
  ["127.200.3.4:65535", true],
  ["[::1]", true],
  ["[::1]:8080", true],
  // Names that resolve to this machine in somebody's DNS.
  ["localhost.evil.example", false],
  ["127.0.0.1.nip.io", false],
  ["127.0.0.1.nip.io:8080", false],
  ["evil.example", false],
  // A browser resolves *.localhost to loopback too, and nobody here uses it.
  ["foo.localhost", false],
  ["localhost.", false],
  ["localhost:8080:8080", false],
  ["localhost:", false],
  ["localhost:x", false],
  ["localhost@evil.example", false],
  ["127.1", false],
  ["127.0.0.256", false],
  ["0.0.0.0:8080", false],
  ["2130706433", false],
  ["::1", false],
  ["[::1", false],
  ["[::ffff:127.0.0.1]:80", false],
  ["10.0.0.1", false],
  ["", false],
];

for (const [authority, isLoopback] of authorities) {
  test(`authority ${JSON.stringify(authority)} is ${isLoopback ? "" : "not "}loopback`, () => {
    assert.equal(isLoopbackAuthority(authority), isLoopback);
  });
}

const host = "localhost:8080";
const calls: readonly [string, Partial<GuardedCall>, "HOST_REFUSED" | "CROSS_SITE_REFUSED" | null][] = [
  ["a program without browser headers", {}, null],
  ["no host at all (HTTP/1.0)", { host: undefined }, "HOST_REFUSED"],
  ["a rebound name", { host: "evil.example:8080" }, "HOST_REFUSED"],
  ["a page of this server", { origin: "http://localhost:8080", secFetchSite: "same-origin" }, null],
  ["its own origin in other letters", { origin: "http://LOCALHOST:8080" }, null],
  ["a typed address", { secFetchSite: "none" }, null],
  ["another site", { origin: "https://evil.example" }, "CROSS_SITE_REFUSED"],
  ["another port of this machine", { origin: "http://localhost:3000" }, "CROSS_SITE_REFUSED"],
  ["another name of this machine", { origin: "http://127.0.0.1:8080" }, "CROSS_SITE_REFUSED"],
  ["the same host over TLS", { origin: "https://localhost:8080" }, "CROSS_SITE_REFUSED"],
  ["a sandboxed page or a file", { origin: "null" }, "CROSS_SITE_REFUSED"],
  // An image, a link: no Origin, but the browser says where it comes from.
  ["an image on another site", { secFetchSite: "cross-site" }, "CROSS_SITE_REFUSED"],
  ["another port, by a link", { secFetchSite: "same-site" }, "CROSS_SITE_REFUSED"],
];

for (const [who, call, refusal] of calls) {
  test(`${who} is ${refusal ? `refused with ${refusal}` : "let in"}`, () => {
    const guard = createLoopbackGuard();
    const whole = { host, origin: undefined, secFetchSite: undefined, ...call };
    if (refusal === null) guard.check(whole);
    else
      assert.throws(
        () => guard.check(whole),
        (error) => error instanceof RpcError && error.reason === refusal,
      );
  });
}

test("a good host that was seen before does not let another one in", () => {
  const guard = createLoopbackGuard();
  const rest = { origin: undefined, secFetchSite: undefined };
  guard.check({ host, ...rest });
  assert.throws(() => guard.check({ host: "evil.example", ...rest }));
  guard.check({ host, ...rest });
});
