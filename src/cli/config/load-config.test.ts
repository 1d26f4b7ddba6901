import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { VaultService } from "../../protocol/gen/vault/v1/vault_service_pb.ts";
import { ConfigError } from "./config-error.ts";
import { loadConfig } from "./load-config.ts";
import type { ServerConfig } from "./server-config.ts";

const folder = mkdtempSync(join(tmpdir(), "belay-config-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, "belay.yaml");

writeFileSync(join(folder, "key.pem"), "");
writeFileSync(join(folder, "api.binpb"), imageOf(VaultService.file));

function imageOf(root: DescFile): Uint8Array {
  const files = new Set<DescFile>();
  const add = (one: DescFile): void => {
    for (const dependency of one.dependencies) add(dependency);
    files.add(one);
  };
  add(root);
  return toBinary(
    FileDescriptorSetSchema,
    create(FileDescriptorSetSchema, { file: [...files].map(({ proto }) => proto) }),
  );
}

function load(text: string): ServerConfig {
  writeFileSync(file, text);
  return loadConfig(file);
}

/** The lines of the error, without the folder. */
function problems(text: string): readonly string[] {
  try {
    load(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.lines.map((line) => line.replaceAll(`${folder}/`, ""));
  }
  return [];
}

test("an empty file says nothing: the built-in services are served", () => {
  const { services, limits, ...rest } = load("");
  assert.deepEqual(
    services.map(({ id }) => id),
    ["default", "vault", "dai", "automl", "yandex"],
  );
  assert.deepEqual(limits, {});
  assert.deepEqual(
    Object.entries(rest).filter(([, value]) => value !== undefined),
    [["file", file]],
  );
});

test("every key is read; paths are relative to the file, durations become milliseconds", () => {
  const config = load(`
host: 127.0.0.1
port: 0
data: ./data
store: { url: "postgres://belay@db.example/belay", passwordFile: key.pem, poolSize: 20 }
slots: 3
logLevel: warn
shutdownDelay: 5s
shutdownGrace: 1.5m
tls: { certFile: key.pem, keyFile: ./key.pem, alpnPreference: h2, cleartext: false }
auth: { development: true }
limits: { callsInFlightMax: 10 }
operations: [key.pem]
exec: { hello: echo "hello you" }
`);
  const { services: _, auth, ...rest } = config;
  assert.deepEqual(rest, {
    file,
    host: "127.0.0.1",
    port: 0,
    data: join(folder, "data"),
    store: { url: "postgres://belay@db.example/belay", passwordFile: join(folder, "key.pem"), poolSize: 20 },
    slots: 3,
    logLevel: "warn",
    shutdownDelay: 5_000,
    shutdownGrace: 90_000,
    tls: {
      certFile: join(folder, "key.pem"),
      keyFile: join(folder, "key.pem"),
      alpnPreference: "h2",
      cleartext: false,
    },
    limits: { callsInFlightMax: 10 },
    operationFiles: [join(folder, "key.pem")],
    operationPlaces: [`${file}:13:14: operations[0]`],
    execCommands: ['hello=echo "hello you"'],
  });
  assert.equal(auth?.development, true);
});

test("auth gets the defaults of its entries", () => {
  const { auth } = load(`
auth:
  issuers:
    - issuer: https://id.example.com
      audiences: [belay]
      keys: { publicKeyFile: key.pem }
      tenant: { claim: org }
`);
  assert.deepEqual(auth, {
    development: false,
    issuers: [
      {
        issuer: "https://id.example.com",
        audiences: ["belay"],
        keys: { publicKeyFile: join(folder, "key.pem"), kid: null },
        algorithms: ["ES256", "RS256", "PS256", "EdDSA"],
        principalClaim: "sub",
        tenant: { claim: "org" },
        grants: null,
        worker: null,
      },
    ],
    serviceAccounts: [],
    staticTokens: [],
    iam: null,
  });
});

test("an entry with the id of a built-in service adds places to it and replaces the rest", () => {
  const { services } = load(`
services:
  - id: vault
    ports: [8081]
    hosts: [vault.example.com]
    types: null
`);
  const vault = services.find(({ id }) => id === "vault");
  assert.deepEqual(vault?.hosts, ["vault.googleapis.com", "vault.localhost", "vault.example.com"]);
  assert.deepEqual(vault?.ports, [8081]);
  assert.equal(vault?.types, null);
  assert.equal(vault?.discoveryVersion, "v1");
});

test("an API of one's own is declared by its descriptors", () => {
  const { services } = load(`
services:
  - id: archive
    hosts: [archive.example.com]
    descriptors: api.binpb
    startTypes: { vault.v1.VaultService.CountArtifacts: archive.count }
`);
  const archive = services.at(-1);
  assert.equal(archive?.id, "archive");
  assert.deepEqual(
    archive?.startServices.map(({ typeName }) => typeName),
    ["vault.v1.VaultService"],
  );
  assert.ok(archive?.registry.getMessage("vault.v1.CountArtifactsResponse"));
});

// text of the file -> the lines of the error
const wrong: readonly (readonly [string, readonly string[]])[] = [
  [
    "services:\n  - id: a\n    dialect: soap\n",
    ['belay.yaml:3:14: services[0].dialect: "soap" is not one of google, yandex'],
  ],
  [
    "host: 1\nprot: 80\n",
    [
      "belay.yaml:1:7: host: 1 is no text",
      "belay.yaml:2:1: prot: is not known here; expected host, port, data, store, slots, logLevel, shutdownDelay, shutdownGrace, tls, auth, limits, operations, exec, services",
    ],
  ],
  [
    "store: mysql://root:secret@db/x\n",
    [
      "belay.yaml:1:8: store: is no store; expected postgres://user@host/database, or a table with it as url, and passwordFile, poolSize (2 to 200), applicationName, listen (true, false), databases (each with url, and services or tenants)",
    ],
  ],
  [
    "store: { url: postgres://db/x, passwordFile: none }\n",
    ["belay.yaml:1:46: store.passwordFile: there is no file none"],
  ],
  [
    "store:\n  url: postgres://db/x\n  databases:\n    - { url: postgres://db/y, services: [vault, none] }\n    - { url: postgres://db/x, tenants: [a] }\n",
    [
      'belay.yaml:4:49: store.databases[0].services[1]: "none" is no service; expected one of default, vault, dai, automl, yandex',
      "belay.yaml:5:14: store.databases[1].url: is in the list already; expected a database of its own",
    ],
  ],
  ["- a\n", ['belay.yaml:1:1: ["a"] is no table']],
  ["port: 70000\n", ["belay.yaml:1:7: port: 70000 is too large; expected at most 65535"]],
  ["slots: 0.5\n", ["belay.yaml:1:8: slots: 0.5 is no whole number"]],
  [
    "logLevel: loud\n",
    ['belay.yaml:1:11: logLevel: "loud" is not one of fatal, error, warn, info, debug, trace, silent'],
  ],
  [
    "shutdownGrace: soon\n",
    ['belay.yaml:1:16: shutdownGrace: "soon" is no duration; expected one such as 500ms, 30s, 1.5m, 2h'],
  ],
  [
    "limits:\n  listsInFlightMax: -1\n",
    ["belay.yaml:2:21: limits.listsInFlightMax: -1 is too small; expected at least 1"],
  ],
  [
    "tls:\n  certFile: no.pem\n  keyFile: key.pem\n",
    ["belay.yaml:2:13: tls.certFile: there is no file no.pem"],
  ],
  ["tls:\n  certFile: key.pem\n", ["belay.yaml:2:3: tls.keyFile: is missing; expected text"]],
  ["operations: [no.ts]\n", ["belay.yaml:1:14: operations[0]: there is no file no.ts"]],
  [
    "exec:\n  Bad: echo\n",
    ['belay.yaml:2:8: exec.Bad: "Bad=echo" is not NAME=COMMAND, NAME of [a-z0-9-] (at most 58 characters)'],
  ],
  [
    "services: [{ host: a }]\n",
    [
      "belay.yaml:1:12: services[0].id: is missing; expected text",
      "belay.yaml:1:14: services[0].host: is not known here; expected id, dialect, hosts, ports, idPrefix, restPrefix, parents, restMethods, scopes, metadataType, types, cancellable, uncancellableTypes, getCancels, pollIntervalSeconds, descriptors, startServices, startTypes, title, documentationLink, discoveryVersion",
    ],
  ],
  [
    "services:\n  - id: a\n    hosts: [a b]\n",
    [
      'belay.yaml:3:13: services[0].hosts[0]: "a b" is no DNS name; expected lower-case labels of a-z, 0-9 and - without a port, such as ops.example.com',
    ],
  ],
  // The index is the file's, although the built-in hosts come before it.
  [
    "services:\n  - id: vault\n    hosts: [ok.example.com, 'a b']\n",
    [
      'belay.yaml:3:29: services[0].hosts[1]: "a b" is no DNS name; expected lower-case labels of a-z, 0-9 and - without a port, such as ops.example.com',
    ],
  ],
  [
    "services:\n  - id: vault\n    hosts: [dai.localhost]\n",
    ["belay.yaml:3:13: services[0].hosts[0]: host dai.localhost is taken by service dai; expected another"],
  ],
  [
    "services:\n  - id: a\n  - id: a\n",
    ["belay.yaml:3:9: services[1].id: id a is taken by service a; expected another"],
  ],
  [
    "port: 8081\nservices:\n  - id: vault\n    ports: [8081]\n",
    ["belay.yaml:4:13: services[0].ports[0]: port 8081 is the server's own; expected another"],
  ],
  [
    "services:\n  - id: a\n    scopes: { read: [x] }\n",
    [
      "belay.yaml:3:15: services[0].scopes.read: is not known here; expected get, list, wait, watch, start, cancel, force, delete, work",
    ],
  ],
  [
    "auth:\n  issuers:\n    - { issuer: x, audience: a }\n",
    [
      "belay.yaml:3:7: auth.issuers[0].audiences: is missing; expected list",
      "belay.yaml:3:7: auth.issuers[0].keys: is missing; expected table",
      "belay.yaml:3:20: auth.issuers[0].audience: is not known here; expected issuer, audiences, keys, algorithms, principalClaim, tenant, grants, worker",
    ],
  ],
  [
    "services:\n  - id: reports\n    descriptors: api.binpb\n    hosts: [reports.example.com]\n    startTypes: { acme.R.Build: x }\n",
    [
      "belay.yaml:5:33: services[0].startTypes.acme.R.Build: service reports has no start method acme.R.Build; expected one of vault.v1.VaultService.CountArtifacts",
    ],
  ],
  [
    "services:\n  - id: vault\n    parents: [projects/*]\n",
    [
      'belay.yaml:3:14: services[0].parents: vault/v1/vault_service.proto: vault.v1.VaultService.CountArtifacts: vault.v1.CountArtifactsRequest has no field parent or name, and service vault takes operations only under projects/*; expected "" (the root) among its parents, too',
    ],
  ],
  [
    "services:\n  - id: vault\n  - id: reports\n    title: Reports\n",
    [
      "belay.yaml:3:5: services[1]: nobody could reach service reports: its paths below /v1 are those of service default; expected hosts, ports, or a restPrefix that no other service has",
    ],
  ],
  [
    "services:\n  - id: vault\n    getCancels: false\n",
    [
      "belay.yaml:3:17: services[0].getCancels: only the dialect yandex cancels by GET; expected no getCancels",
    ],
  ],
  [
    "services:\n  - id: reports\n    ports: [0]\n    metadataType: a.B\n",
    [
      'belay.yaml:4:19: services[0].metadataType: "a.B" is no message that is known, for the service has no descriptors; expected them, too',
    ],
  ],
  [
    "services:\n  - id: a\n    descriptors: key.pem\n",
    ["belay.yaml:3:18: services[0].descriptors: key.pem: holds no files"],
  ],
  [
    "services:\n  - id: a\n    descriptors: api.binpb\n    startServices: [a.B]\n",
    [expected('belay.yaml:4:21: services[0].startServices[0]: "a.B" is not in the descriptors; they have ')],
  ],
  [
    "services:\n  - id: a\n    startServices: [a.B]\n",
    [
      "belay.yaml:3:20: services[0].startServices: needs descriptors; expected the file that has these services",
    ],
  ],
  [
    "auth:\n  issuers:\n    - issuer: x\n      audiences: []\n      keys: { jwksUri: 'https://a/b' }\n",
    [
      "belay.yaml:4:18: auth.issuers[0].audiences: is empty; expected what the aud claim of its tokens is for you",
    ],
  ],
  [
    "auth:\n  staticTokens:\n    - { sha256: abc, principal: ada }\n",
    ["belay.yaml:3:17: auth.staticTokens[0].sha256: is no hash; expected what belay token --hash prints"],
  ],
  [
    "auth:\n  serviceAccounts:\n    - { email: a@b, keys: [{ kid: k, publicKeyFile: no.pem }] }\n",
    ["belay.yaml:3:53: auth.serviceAccounts[0].keys[0].publicKeyFile: there is no file no.pem"],
  ],
  [
    "auth:\n  issuers:\n    - issuer: x\n      audiences: [a]\n      keys: { publicKeyFile: no.pem }\n",
    ["belay.yaml:5:30: auth.issuers[0].keys.publicKeyFile: there is no file no.pem"],
  ],
  [
    "auth:\n  issuers:\n    - issuer: x\n      audiences: [a]\n      keys: { jwksUri: 'https://a/b', kid: k }\n",
    [
      "belay.yaml:5:13: auth.issuers[0].keys: is no source of keys; expected jwksUri, or jwksFile, or publicKeyFile with an optional kid",
    ],
  ],
  ["exec: { a: '' }\n", ["belay.yaml:1:12: exec.a: the command is empty"]],
  [
    "auth: {}\n",
    [
      "belay.yaml:1:7: auth: nobody could call; expected issuers, serviceAccounts, staticTokens, iam or development: true",
    ],
  ],
];

/** The beginning of a line. */
function expected(beginning: string): string {
  return `${beginning}...`;
}

for (const [text, lines] of wrong) {
  test(`a wrong file is refused with: ${lines[0]}`, () => {
    const found = problems(text);
    assert.equal(found.length, lines.length, found.join("\n"));
    for (const [i, line] of lines.entries()) {
      if (line.endsWith("...")) assert.ok(found[i]?.startsWith(line.slice(0, -3)), found[i]);
      else assert.equal(found[i], line);
    }
  });
}

test("what is no YAML is told with its line and column", () => {
  for (const [text, place] of [
    ["host: [\n", "belay.yaml:2:1: is no YAML: "],
    ["host: a\nhost: b\n", "belay.yaml:2:1: is no YAML: Map keys must be unique"],
    ["host: !!js/function a\n", "belay.yaml:1:7: is no YAML: Unresolved tag"],
    ["--- a\n--- b\n", "belay.yaml:2:1: is no YAML: Source contains multiple documents"],
  ] as const) {
    assert.ok(problems(text)[0]?.startsWith(place), problems(text)[0]);
  }
});

test("a tree of aliases is refused, not unfolded", () => {
  const names = "abcdefghi".split("");
  const lines = names.map(
    (name, i) =>
      `${name}: &${name} [${
        i === 0
          ? "x"
          : Array(9)
              .fill(`*${names[i - 1]}`)
              .join(",")
      }]`,
  );
  assert.match(problems(`${lines.join("\n")}\n`)[0] ?? "", /alias/i);
});

test("a file that is not there, or a folder, is named", () => {
  assert.throws(() => loadConfig(join(folder, "no.yaml")), {
    message: `${join(folder, "no.yaml")}: there is no such file`,
  });
  assert.throws(() => loadConfig(folder), { message: `${folder}: is a folder; expected a file` });
});

test("a service without a place of its own is taken where a flag gives it a port", () => {
  writeFileSync(file, "services: [{ id: reports }]\n");
  assert.equal(loadConfig(file, ["reports"]).services.at(-1)?.id, "reports");
});

test("the message has every problem, one in a line", () => {
  writeFileSync(file, "a: 1\nb: 2\nc: 3\n");
  assert.throws(() => loadConfig(file), {
    message: /^.*:1:1: a: is not known here; .*\n.*:2:1: b: is not .*\n.*:3:1: c: is not [^\n]*$/,
  });
});
