// The guard, as a table of who may come in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError } from "../base/rpc-error.ts";
import { createGuard, type GuardedCall, isLoopbackAuthority, purposeOf } from "./guard.ts";

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
  // RFC 6761, 6.3: names below localhost are loopback, too.
  ["foo.localhost", true],
  ["a.b-c.LOCALHOST:8080", true],
  ["localhost.", true],
  ["foo.localhost.:8080", true],
  ["localhost..", false],
  [".localhost", false],
  ["a..localhost", false],
  ["foo.localhost.evil.example", false],
  ["evillocalhost", false],
  ["evil.example/.localhost", false],
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

type Refusal = "HOST_REFUSED" | "CROSS_SITE_REFUSED" | "PREFETCH_REFUSED";
type Row = readonly [who: string, call: Partial<GuardedCall>, refusal: Refusal | null];

const allowedHosts = ["vault.googleapis.com", "Operation.api.cloud.yandex.net"];
const host = "localhost:8080";

/** Who may come in depends on identity. */
const byHost: readonly Row[] = [
  ["no host at all (HTTP/1.0)", { host: undefined }, "HOST_REFUSED"],
  ["a rebound name", { host: "evil.example:8080" }, "HOST_REFUSED"],
  ["a service's host", { host: "vault.googleapis.com" }, null],
  ["a service's host on any port", { host: "vault.googleapis.com:8443" }, null],
  ["a service's host in other letters", { host: "VAULT.googleapis.com:1" }, null],
  ["a service's host declared in other letters", { host: "operation.api.cloud.yandex.net" }, null],
  ["a name below a service's host", { host: "a.vault.googleapis.com" }, "HOST_REFUSED"],
  ["a name that ends like a service's host", { host: "evilvault.googleapis.com" }, "HOST_REFUSED"],
  ["a service's host with a wrong port", { host: "vault.googleapis.com:x" }, "HOST_REFUSED"],
  ["a service's host with the root's dot", { host: "vault.googleapis.com." }, null],
  ["a service's host with the root's dot and a port", { host: "vault.googleapis.com.:80" }, null],
  ["a service's host with two dots", { host: "vault.googleapis.com.." }, "HOST_REFUSED"],
  ["an empty host", { host: "" }, "HOST_REFUSED"],
  ["a *.localhost name that nobody declared", { host: "vault.localhost:8080" }, null],
];

/** Browsers: the same with and without identity. */
const byPage: readonly Row[] = [
  ["a program without browser headers", {}, null],
  ["a page of this server", { origin: "http://localhost:8080", secFetchSite: "same-origin" }, null],
  ["its own origin in other letters", { origin: "http://LOCALHOST:8080" }, null],
  ["a typed address", { secFetchSite: "none" }, null],
  ["another site", { origin: "https://evil.example" }, "CROSS_SITE_REFUSED"],
  ["another port of this machine", { origin: "http://localhost:3000" }, "CROSS_SITE_REFUSED"],
  ["another name of this machine", { origin: "http://127.0.0.1:8080" }, "CROSS_SITE_REFUSED"],
  ["the same host over TLS", { origin: "https://localhost:8080" }, "CROSS_SITE_REFUSED"],
  ["a page of this server, over TLS", { origin: "https://localhost:8080", isTls: true }, null],
  ["the same host in cleartext", { origin: "http://localhost:8080", isTls: true }, "CROSS_SITE_REFUSED"],
  ["a page on port 443", { host: "localhost:443", origin: "https://localhost", isTls: true }, null],
  ["a page on port 80", { host: "localhost:80", origin: "http://localhost" }, null],
  [
    "port 80 on a page of port 443",
    { host: "localhost:80", origin: "https://localhost", isTls: true },
    "CROSS_SITE_REFUSED",
  ],
  [
    "a page of a service's host",
    { host: "vault.googleapis.com", origin: "http://vault.googleapis.com" },
    null,
  ],
  ["a sandboxed page or a file", { origin: "null" }, "CROSS_SITE_REFUSED"],
  // An image, a link: no Origin, but the browser says where it comes from.
  ["an image on another site", { secFetchSite: "cross-site" }, "CROSS_SITE_REFUSED"],
  ["another port, by a link", { secFetchSite: "same-site" }, "CROSS_SITE_REFUSED"],
  ["a prefetch", { secPurpose: "prefetch" }, "PREFETCH_REFUSED"],
  [
    "a typed address, loaded ahead",
    { secFetchSite: "none", secPurpose: "prefetch;prerender" },
    "PREFETCH_REFUSED",
  ],
  ["a prefetch through a proxy", { secPurpose: "Prefetch;anonymous-client-ip" }, "PREFETCH_REFUSED"],
  ["a preview of a page", { secPurpose: "preview" }, "PREFETCH_REFUSED"],
  ["any other purpose", { secPurpose: "navigation" }, null],
];

function check(call: Partial<GuardedCall>, refusal: Refusal | null, requireLoopback: boolean): void {
  const guard = createGuard({ allowedHosts, requireLoopback });
  const whole = { host, origin: undefined, secFetchSite: undefined, ...call };
  if (refusal === null) guard.check(whole);
  else
    assert.throws(
      () => guard.check(whole),
      (error) => error instanceof RpcError && error.reason === refusal,
    );
}

for (const [who, call, refusal] of byHost) {
  test(`without identity ${who} is ${refusal ? `refused with ${refusal}` : "let in"}; with it, let in`, () => {
    check(call, refusal, true);
    check(call, null, false);
  });
}

for (const [who, call, refusal] of byPage) {
  test(`${who} is ${refusal ? `refused with ${refusal}` : "let in"}, with identity too`, () => {
    check(call, refusal, true);
    check(call, refusal, false);
  });
}

test("a *.localhost name that is declared is let in", () => {
  const guard = createGuard({ allowedHosts: ["vault.localhost"], requireLoopback: true });
  guard.check({ host: "vault.localhost:8080", origin: undefined, secFetchSite: undefined });
});

test("a host that is missing is told as such", () => {
  const guard = createGuard({ allowedHosts, requireLoopback: true });
  for (const missing of [undefined, ""]) {
    assert.throws(() => guard.check({ host: missing, origin: undefined, secFetchSite: undefined }), {
      message: /^host \(none\) is refused: /,
    });
  }
});

test("with identity, a page without a host to compare is refused", () => {
  check({ host: undefined, origin: "http://localhost:8080" }, "CROSS_SITE_REFUSED", false);
});

test("a good host that was seen before does not let another one in", () => {
  const guard = createGuard({ allowedHosts, requireLoopback: true });
  const rest = { origin: undefined, secFetchSite: undefined };
  guard.check({ host, ...rest });
  assert.throws(() => guard.check({ host: "evil.example", ...rest }));
  guard.check({ host, ...rest });
});

const purposes: readonly [Record<string, string | string[]>, string | undefined][] = [
  [{}, undefined],
  [{ "sec-purpose": "prefetch;prerender" }, "prefetch;prerender"],
  [{ purpose: "prefetch" }, "prefetch"],
  [{ "x-purpose": "preview" }, "preview"],
  [{ "x-moz": "prefetch" }, "prefetch"],
  // One of them does not hide another.
  [{ "sec-purpose": "none", "x-moz": "prefetch" }, "none, prefetch"],
  [{ purpose: ["a", "prefetch"] }, "a,prefetch"],
];

for (const [headers, purpose] of purposes) {
  test(`headers ${JSON.stringify(headers)} say the purpose ${purpose}`, () => {
    assert.equal(purposeOf(headers), purpose);
  });
}
