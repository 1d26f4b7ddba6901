// What a wrong configuration is told: its place, the problem, and what was expected.
import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { authConfig, fileWith, issuerConfig, keptLog, temporaryFolder } from "./auth.fixture.ts";
import type { AuthConfig, IamConfig } from "./auth-config.ts";
import { createAuthenticator } from "./authenticator.ts";

const HASH = "0".repeat(64);
const keys = { jwksUri: "https://issuer.example.com/keys" };
const staticToken = { sha256: HASH, principal: "user:ada", tenant: "default", scopes: null, grants: null };
const iam: IamConfig = { oauthTokens: [], serviceAccounts: [], tokenLifetimeSeconds: 3600, hosts: [] };
const account = { email: "a@b", keys: [], audiences: [], tenant: "default", grants: null };

const make = (config: AuthConfig): void => {
  createAuthenticator(config, { folder: null, logger: keptLog().logger });
};

const wrong: [settings: Partial<AuthConfig>, message: RegExp][] = [
  [{}, /^auth: nobody could call; expected issuers, /],
  [{ development: true }, /^auth\.development: needs a data folder;/],
  [{ issuers: [issuerConfig({ keys, audiences: [] })] }, /^auth\.issuers\[0\]\.audiences: is empty;/],
  [{ issuers: [issuerConfig({ keys, algorithms: [] })] }, /^auth\.issuers\[0\]\.algorithms: is empty;/],
  [
    { issuers: [issuerConfig({ keys, algorithms: ["HS256" as never] })] },
    /^auth\.issuers\[0\]\.algorithms: HS256 is not taken; expected ES256, /,
  ],
  [
    { issuers: [issuerConfig({ keys, issuer: "belay/iam" })] },
    /^auth\.issuers\[0\]\.issuer: belay\/iam is an issuer of Belay's own/,
  ],
  [{ issuers: [issuerConfig({ keys, issuer: "" })] }, /^auth\.issuers\[0\]\.issuer: "" is refused;/],
  [
    { issuers: [issuerConfig({ keys }), issuerConfig({ keys })] },
    /^auth\.issuers\[1\]\.issuer: https:\/\/issuer\.example\.com\/ comes twice;/,
  ],
  [{ issuers: [issuerConfig({ keys, tenant: "a b" })] }, /^auth\.issuers\[0\]\.tenant: "a b" is refused;/],
  [
    { issuers: [issuerConfig({ keys, tenant: { claim: "" } })] },
    /^auth\.issuers\[0\]\.tenant\.claim: "" is refused;/,
  ],
  [
    { issuers: [issuerConfig({ keys, grants: ["projects"] })] },
    /^auth\.issuers\[0\]\.grants\[0\]: "projects" is refused;/,
  ],
  [
    { issuers: [issuerConfig({ keys: { jwksUri: "http://issuer.example.com/keys" } })] },
    /^auth\.issuers\[0\]\.keys\.jwksUri: http:\/\/issuer\.example\.com\/keys is refused; expected an https address, or http on a loopback one$/,
  ],
  [
    { issuers: [issuerConfig({ keys: { jwksFile: "/no/such/file" } })] },
    /^auth\.issuers\[0\]\.keys\.jwksFile: \/no\/such\/file cannot be read: ENOENT$/,
  ],
  [{ serviceAccounts: [account] }, /^auth\.serviceAccounts\[0\]\.keys: is empty;/],
  [
    { staticTokens: [{ ...staticToken, sha256: "my-token" }] },
    /^auth\.staticTokens\[0\]\.sha256: is no hash; expected what belay token --hash prints$/,
  ],
  [
    { staticTokens: [{ ...staticToken, worker: { types: [] } }] },
    /^auth\.staticTokens\[0\]\.worker\.types: is empty; expected operation types, or \* for all$/,
  ],
  [
    { staticTokens: [{ ...staticToken, worker: { types: ["a.b", "a b"] } }] },
    /^auth\.staticTokens\[0\]\.worker\.types\[1\]: "a b" is no operation type;/,
  ],
  [
    { staticTokens: [{ ...staticToken, scopes: ["x"], worker: { types: ["*"] } }] },
    /^auth\.staticTokens\[0\]\.scopes: says nothing of a worker;/,
  ],
  [
    { staticTokens: [{ ...staticToken, grants: ["operations"], worker: { types: ["*"] } }] },
    /^auth\.staticTokens\[0\]\.grants: says nothing of a worker;/,
  ],
  [
    { issuers: [issuerConfig({ keys, worker: { claim: "" } })] },
    /^auth\.issuers\[0\]\.worker\.claim: "" is refused;/,
  ],
  [{ staticTokens: [staticToken, staticToken] }, /^auth\.staticTokens\[1\]\.sha256: comes twice;/],
  [
    { staticTokens: [{ ...staticToken, principal: "a\nb" }] },
    /^auth\.staticTokens\[0\]\.principal: "a\\nb" is refused;/,
  ],
  [
    { staticTokens: [{ ...staticToken, scopes: ["a b"] }] },
    /^auth\.staticTokens\[0\]\.scopes\[0\]: "a b" is no scope;/,
  ],
  [
    { iam: { ...iam, tokenLifetimeSeconds: 59 } },
    /^auth\.iam\.tokenLifetimeSeconds: is 59; expected a whole number 60-86400$/,
  ],
  [{ iam: { ...iam, hosts: ["https://x"] } }, /^auth\.iam\.hosts\[0\]: https:\/\/x is refused;/],
  [
    {
      iam: { ...iam, oauthTokens: [{ sha256: "x", subject: "s", tenant: "t", scopes: null, grants: null }] },
    },
    /^auth\.iam\.oauthTokens\[0\]\.sha256: is no hash;/,
  ],
  [
    { iam: { ...iam, serviceAccounts: [{ serviceAccountId: "s", keys: [], tenant: "t", grants: null }] } },
    /^auth\.iam\.serviceAccounts\[0\]\.keys: is empty;/,
  ],
];

for (const [settings, message] of wrong) {
  test(`a wrong configuration says ${message.source}`, () => {
    assert.throws(() => make(authConfig(settings)), { name: "TypeError", message });
  });
}

const pemOf = (key: KeyObject): string =>
  String(key.export({ type: key.type === "public" ? "spki" : "pkcs8", format: "pem" }));
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });

const files: [title: string, kind: "publicKeyFile" | "jwksFile", text: string, message: RegExp | null][] = [
  ["a public key", "publicKeyFile", pemOf(ec.publicKey), null],
  ["an Ed25519 key", "publicKeyFile", pemOf(generateKeyPairSync("ed25519").publicKey), null],
  [
    "a private key",
    "publicKeyFile",
    pemOf(ec.privateKey),
    /publicKeyFile: .* holds a private key; give the public one$/,
  ],
  ["no key", "publicKeyFile", "hello", /publicKeyFile: .* is no public key or certificate in PEM$/],
  [
    "a short RSA key",
    "publicKeyFile",
    pemOf(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey),
    /publicKeyFile: .* has 1024 bits; an RSA key needs 2048$/,
  ],
  [
    "a key for something else",
    "publicKeyFile",
    pemOf(generateKeyPairSync("x25519").publicKey),
    /publicKeyFile: .* is no key for tokens; expected RSA, P-256, P-384, P-521 or Ed25519$/,
  ],
  [
    "a list in place of a set",
    "jwksFile",
    "[]",
    /jwksFile: .* is no JSON Web Key Set; expected \{"keys": \[\.\.\.\]\}$/,
  ],
  ["an empty set", "jwksFile", '{"keys": []}', /jwksFile: .* has no keys$/],
  [
    "a set with a secret",
    "jwksFile",
    '{"keys": [{"kty": "oct", "k": "AAAA"}]}',
    /jwksFile: .* holds private keys or secrets; give the public ones$/,
  ],
];

for (const [title, kind, text, message] of files) {
  test(`${title} as ${kind} is ${message ? "refused" : "taken"}`, (t) => {
    const path = fileWith(t, text);
    const source = kind === "jwksFile" ? { jwksFile: path } : { publicKeyFile: path, kid: null };
    const config = authConfig({ issuers: [issuerConfig({ keys: source })] });
    if (message) assert.throws(() => make(config), { name: "TypeError", message });
    else make(config);
  });
}

test("a good configuration of every kind is taken", (t) => {
  const publicKeyFile = fileWith(t, pemOf(ec.publicKey));
  const config = authConfig({
    issuers: [issuerConfig({ keys })],
    serviceAccounts: [{ ...account, keys: [{ kid: "1", publicKeyFile }] }],
    staticTokens: [{ ...staticToken, grants: ["operations", "projects/p/locations/l"] }],
    iam: {
      ...iam,
      hosts: ["api.cloud.yandex.net", "localhost"],
      serviceAccounts: [
        { serviceAccountId: "aje1", keys: [{ kid: "1", publicKeyFile }], tenant: "t", grants: null },
      ],
    },
    development: true,
  });
  createAuthenticator(config, { folder: temporaryFolder(t), logger: keptLog().logger });
});
