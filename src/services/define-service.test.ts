import assert from "node:assert/strict";
import { test } from "node:test";
import { AutoMl } from "../protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { Operations } from "../protocol/gen/google/longrunning/operations_pb.ts";
import { Health } from "../protocol/gen/grpc/health/v1/health_pb.ts";
import { VaultService } from "../protocol/gen/vault/v1/vault_service_pb.ts";
import { baseTypeRegistry } from "../protocol/type-registry.ts";
import { builtinServices } from "./builtin/builtin-services.ts";
import {
  checkReachable,
  checkServices,
  defineService,
  defineServices,
  type ServiceSettings,
} from "./define-service.ts";
import { ServiceDeclarationError } from "./service-problem.ts";

test("what a definition leaves out gets its defaults", () => {
  assert.deepEqual(defineService({ id: "reports" }), {
    id: "reports",
    dialect: "google",
    hosts: [],
    ports: [],
    idPrefix: "rep",
    restPrefix: "/v1",
    parents: [""],
    restMethods: ["get", "list", "wait", "cancel", "delete"],
    scopes: {},
    metadataType: null,
    types: null,
    cancellable: true,
    uncancellableTypes: [],
    getCancels: false,
    pollIntervalSeconds: null,
    startServices: [],
    startTypes: {},
    registry: baseTypeRegistry,
    title: "reports",
    documentationLink: "",
    discoveryVersion: null,
  });
});

test("the dialect yandex has defaults of its own", () => {
  const { restPrefix, restMethods, getCancels } = defineService({ id: "y2", dialect: "yandex" });
  assert.deepEqual(
    { restPrefix, restMethods, getCancels },
    { restPrefix: "", restMethods: ["get", "cancel"], getCancels: true },
  );
});

test("an id with fewer than three letters is filled up to a prefix", () => {
  assert.equal(defineService({ id: "y2" }).idPrefix, "yxx");
});

// field values -> the first line of the message
const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
  [{ id: "A b" }, 'id: "A b" is no service id; expected [a-z][a-z0-9-]{0,30}, such as vault'],
  [{ dialect: "soap" }, 'dialect: "soap" is not one of google, yandex'],
  [{ hosts: "ops" }, 'hosts: "ops" is no list of DNS names'],
  [
    { hosts: ["a", "a b"] },
    'hosts[1]: "a b" is no DNS name; expected lower-case labels of a-z, 0-9 and - without a port, such as ops.example.com',
  ],
  [
    { hosts: ["Ops.example.com"] },
    'hosts[0]: "Ops.example.com" is no DNS name; expected lower-case labels of a-z, 0-9 and - without a port, such as ops.example.com',
  ],
  [
    { hosts: ["127.0.0.1"] },
    'hosts[0]: "127.0.0.1" is no DNS name; expected lower-case labels of a-z, 0-9 and - without a port, such as ops.example.com',
  ],
  [{ hosts: ["a", "a"] }, 'hosts[1]: "a" is given twice'],
  [{ ports: [-1] }, "ports[0]: -1 is no whole number 0-65535"],
  [{ ports: ["80"] }, 'ports[0]: "80" is no whole number 0-65535'],
  [{ idPrefix: "ab1" }, 'idPrefix: "ab1" is no id prefix; expected three letters a-z, such as opr'],
  [
    { restPrefix: "v1" },
    'restPrefix: "v1" is no REST prefix; expected "" or a path such as /v1, without a slash at its end, and not below /belay',
  ],
  [
    { restPrefix: "/belay/v1" },
    'restPrefix: "/belay/v1" is no REST prefix; expected "" or a path such as /v1, without a slash at its end, and not below /belay',
  ],
  [{ parents: [] }, 'parents: is empty; expected at least "" (the root)'],
  [
    { parents: ["projects"] },
    'parents[0]: "projects" is no pattern of parents; expected "" (the root), "**" (any), or one to three pairs such as projects/*/locations/*',
  ],
  [
    { parents: ["operations/*"] },
    'parents[0]: "operations/*" is no pattern of parents; expected "" (the root), "**" (any), or one to three pairs such as projects/*/locations/*',
  ],
  [{ parents: ["", "**"] }, 'parents: "**" takes any parent and stands alone'],
  [{ restMethods: ["start"] }, 'restMethods[0]: "start" is not one of get, list, wait, cancel, delete'],
  [
    { scopes: { read: ["x"] } },
    'scopes.read: "read" is no kind of method; expected get, list, wait, watch, start, cancel, force, delete, work',
  ],
  [
    { scopes: { get: ["a b"] } },
    'scopes.get[0]: "a b" is no OAuth scope; expected visible characters without quotes, such as https://www.googleapis.com/auth/cloud-platform',
  ],
  [
    { scopes: [] },
    "scopes: [] is no table of scopes by get, list, wait, watch, start, cancel, force, delete, work",
  ],
  [
    { metadataType: "no.such.Message" },
    'metadataType: "no.such.Message" is no message that is known, for the service has no descriptors; expected them, too',
  ],
  [
    { metadataType: "no.such.Message", startServices: [AutoMl], parents: ["projects/*"] },
    `metadataType: "no.such.Message" is not in the service's descriptors`,
  ],
  [
    { startServices: [VaultService], parents: ["matters/*"] },
    'parents: vault/v1/vault_service.proto: vault.v1.VaultService.CountArtifacts: vault.v1.CountArtifactsRequest has no field parent or name, and service reports takes operations only under matters/*; expected "" (the root) among its parents, too',
  ],
  [
    { types: ["Ocr"] },
    'types[0]: "Ocr" is no operation type; expected words of [a-z0-9-] joined by dots, at most 63 characters, such as ocr.recognize',
  ],
  [{ cancellable: "no" }, 'cancellable: "no" is neither true nor false'],
  [{ uncancellableTypes: null }, "uncancellableTypes: null is no list of operation types"],
  [{ getCancels: true }, "getCancels: only the dialect yandex cancels by GET"],
  [{ pollIntervalSeconds: 0 }, "pollIntervalSeconds: 0 is no whole number 1-3600"],
  [
    { pollIntervalSeconds: 1 },
    "pollIntervalSeconds: only the dialect yandex suggests an interval; expected null",
  ],
  [
    { startServices: [{}] },
    "startServices[0]: object is no descriptor of a protobuf service; expected one of the generated code or of a buf image",
  ],
  [
    { startServices: [Operations] },
    "startServices[0]: google.longrunning.Operations is served by Belay itself; expected an API of yours",
  ],
  [{ registry: {} }, "registry: object is no registry; expected createRegistry(...) of @bufbuild/protobuf"],
  [{ title: "two\nlines" }, 'title: "two\\nlines" is no title; expected at most 200 characters in one line'],
  [
    { documentationLink: "docs" },
    'documentationLink: "docs" is no link; expected "" or an http or https URL',
  ],
  [
    { discoveryVersion: "1" },
    'discoveryVersion: "1" is no version; expected null or a version such as v1, v1beta1',
  ],
  [
    { dialect: "yandex", discoveryVersion: "v1" },
    "discoveryVersion: the dialect yandex has no discovery document; expected null",
  ],
  [
    { dialect: "yandex", parents: ["**"] },
    'parents: the dialect yandex has ids without a parent; expected [""]',
  ],
  [
    { dialect: "yandex", restMethods: ["list"] },
    "restMethods[0]: the dialect yandex has only get and cancel",
  ],
];

for (const [fields, message] of wrong) {
  test(`a definition is refused with: ${message}`, () => {
    const settings = { id: "reports", ...fields } as ServiceSettings;
    assert.throws(() => defineService(settings), { name: "ServiceDeclarationError", message });
  });
}

test("an unknown field is refused with the fields that there are", () => {
  const settings = { id: "reports", host: "a" } as ServiceSettings;
  assert.throws(
    () => defineService(settings),
    /^ServiceDeclarationError: host: is no field of a service; expected id, dialect, hosts, /,
  );
});

test("every wrong field is told at once, each with its path from the root", () => {
  assert.throws(
    () => defineServices([{ id: "a" }, { id: "b", hosts: ["x y"], ports: [70_000] }]),
    (error) => {
      assert.ok(error instanceof ServiceDeclarationError);
      assert.deepEqual(
        error.problems.map(({ path }) => path),
        [
          ["services", 1, "hosts", 0],
          ["services", 1, "ports", 0],
        ],
      );
      return true;
    },
  );
});

const overlaps: readonly (readonly [Partial<ServiceSettings>, Partial<ServiceSettings>, string])[] = [
  [{ id: "a" }, { id: "a" }, "services[1].id: id a is taken by service a; expected another"],
  [
    { hosts: ["h"] },
    { hosts: ["g", "h"] },
    "services[1].hosts[1]: host h is taken by service a; expected another",
  ],
  [{ ports: [81] }, { ports: [81] }, "services[1].ports[0]: port 81 is taken by service a; expected another"],
];

for (const [first, second, message] of overlaps) {
  test(`two services cannot share what tells them apart: ${message}`, () => {
    assert.throws(
      () =>
        defineServices([
          { id: "a", ...first },
          { id: "b", ...second },
        ]),
      { message },
    );
  });
}

test("the built-in services fit together, and have ids that no other one makes", () => {
  checkServices(builtinServices);
  assert.deepEqual(
    builtinServices.map(({ id }) => id),
    ["default", "vault", "dai", "automl", "yandex"],
  );
  assert.equal(new Set(builtinServices.map(({ idPrefix }) => idPrefix)).size, builtinServices.length);
});

const unreachable: readonly (readonly [string, Partial<ServiceSettings>, string | null])[] = [
  ["the default's paths", {}, "its paths below /v1 are those of service default"],
  [
    "paths below a parent of the default",
    { parents: ["a/*"] },
    "its paths below /v1 are those of service default",
  ],
  ["no REST paths", { restPrefix: "/v9", restMethods: [] }, "it has no REST paths"],
  ["the paths of yandex", { dialect: "yandex" }, "its paths below / are those of service yandex"],
  ["a host", { hosts: ["x.example.com"] }, null],
  ["a port", { ports: [0] }, null],
  ["a prefix of its own", { restPrefix: "/v9" }, null],
  ["other parents", { restPrefix: "/v1beta1", parents: ["projects/*"] }, null],
];

for (const [what, settings, problem] of unreachable) {
  test(`a service that has ${what} ${problem === null ? "is reached" : "is not reached, and refused"}`, () => {
    const services = [...builtinServices, defineService({ id: "reports", ...settings })];
    if (problem === null) {
      checkReachable(services);
      return;
    }
    assert.throws(() => checkReachable(services), {
      message: `services[5]: nobody could reach service reports: ${problem}; expected hosts, ports, or a restPrefix that no other service has`,
    });
    checkReachable(services, (id) => id === "reports");
  });
}

test("start methods that do not fit their service are refused when it is defined", () => {
  const [, vault, , , yandex] = builtinServices;
  assert.throws(
    () =>
      defineService({ id: "v2", startServices: [...vault!.startServices], startTypes: { "a.B.C": "x.y" } }),
    {
      message:
        "startTypes.a.B.C: service v2 has no start method a.B.C; expected one of vault.v1.VaultService.CountArtifacts",
    },
  );
  assert.throws(
    () => defineService({ id: "v2", startServices: yandex!.startServices }),
    /^ServiceDeclarationError: startServices: .*has the dialect google$/,
  );
  assert.throws(() => defineService({ id: "v2", startServices: [Health] }), {
    message: "startServices[0]: grpc.health.v1.Health is served by Belay itself; expected an API of yours",
  });
});
