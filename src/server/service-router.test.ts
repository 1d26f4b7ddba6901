// Which service a call reaches, by the name in Host or :authority, and by the port.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Operations } from "../protocol/gen/google/longrunning/operations_pb.ts";
import { OperationService } from "../protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { automlService } from "../services/builtin/automl.ts";
import { daiService } from "../services/builtin/dai.ts";
import { defaultService } from "../services/builtin/default.ts";
import { vaultService } from "../services/builtin/vault.ts";
import { yandexService } from "../services/builtin/yandex.ts";
import { httpRules } from "../services/google/http-rules.ts";
import type { ServiceMethod } from "../services/method.ts";
import type { ServiceDeclaration } from "../services/service-declaration.ts";
import { yandexHttpRules } from "../services/yandex/http-rules.ts";
import { bindMethods } from "./bound-method.ts";
import { type BoundService, ServiceRouter } from "./service-router.ts";

function bound(declaration: ServiceDeclaration): BoundService {
  const isYandex = declaration.dialect === "yandex";
  const desc = isYandex ? OperationService : Operations;
  const methods = desc.methods.map(
    (method): ServiceMethod => ({
      desc: method,
      invoke: () => null,
      encodeBinary: () => Buffer.alloc(0),
      encodeJson: () => "{}",
    }),
  );
  const rules = isYandex ? yandexHttpRules(declaration) : httpRules(declaration);
  return {
    declaration,
    methods: bindMethods(declaration, [{ desc, methods, httpRules: rules }]),
    streams: [],
  };
}

// The order of the built-in services: the default one first.
const services = [defaultService, vaultService, daiService, automlService, yandexService].map(bound);
const router = new ServiceRouter({ services });

/** The service that a REST call reaches, or why it reaches none. */
function restService(on: ServiceRouter, authority: string | undefined, path: string): string {
  try {
    return on.transcoder(authority).match("GET", path).value.declaration.id;
  } catch (error) {
    return (error as { reason: string }).reason;
  }
}

/** The service that a gRPC call reaches; undefined if the one that is named does not have the method. */
function grpcService(on: ServiceRouter, authority: string | undefined, method: string): string | undefined {
  const find = on.grpcMethods().get(method);
  assert.ok(find, `nobody has ${method}`);
  return find(authority)?.declaration.id;
}

const GET = "google.longrunning.Operations/GetOperation";
const YANDEX_GET = "yandex.cloud.operation.OperationService/Get";

const named: readonly [authority: string | undefined, service: string][] = [
  ["vault.googleapis.com", "vault"],
  ["vault.googleapis.com:443", "vault"],
  ["VAULT.googleapis.com:8080", "vault"],
  ["vault.googleapis.com.", "vault"],
  ["vault.googleapis.com.:8080", "vault"],
  ["vault.localhost:8080", "vault"],
  ["dai.localhost:8080", "dai"],
  ["localhost:8080", "default"],
  ["127.0.0.1:8080", "default"],
  ["[::1]:8080", "default"],
  ["avault.googleapis.com", "default"],
  ["vault.googleapis.com.evil.example", "default"],
  ["googleapis.com", "default"],
  ["", "default"],
  [undefined, "default"],
];

for (const [authority, service] of named) {
  test(`paths and methods that every service has go to ${service} by the authority ${authority}`, () => {
    assert.equal(restService(router, authority, "/v1/operations/a"), service);
    assert.equal(grpcService(router, authority, GET), service);
    assert.equal(router.answering(authority).declaration.id, service);
    // The second time it is remembered.
    assert.equal(restService(router, authority, "/v1/operations/a"), service);
  });
}

test("without a declared name, what only one other service has goes to that one", () => {
  assert.equal(restService(router, "localhost", "/operations/a"), "yandex");
  assert.equal(restService(router, "localhost", "/v1beta1/projects/p/locations/l/operations/a"), "automl");
  assert.equal(grpcService(router, "localhost", YANDEX_GET), "yandex");
});

test("a service that is named has its own paths and methods only", () => {
  assert.equal(restService(router, "vault.localhost", "/operations/a"), "ROUTE_NOT_FOUND");
  assert.equal(restService(router, "yandex.localhost", "/v1/operations/a"), "ROUTE_NOT_FOUND");
  assert.equal(grpcService(router, "vault.localhost", YANDEX_GET), undefined);
  assert.equal(grpcService(router, "yandex.localhost", GET), undefined);
});

test("a port of its own is for its service alone, whatever name is sent", () => {
  const own = new ServiceRouter({ services, only: "vault" });
  for (const authority of ["localhost:8081", "dai.localhost:8081", "yandex.localhost", undefined]) {
    assert.equal(restService(own, authority, "/v1/operations/a"), "vault");
    assert.equal(restService(own, authority, "/operations/a"), "ROUTE_NOT_FOUND");
    assert.equal(grpcService(own, authority, GET), "vault");
    assert.equal(own.answering(authority).declaration.id, "vault");
    assert.equal(own.dialectOf(authority), "google");
  }
  assert.equal(own.grpcMethods().has(YANDEX_GET), false);
});

test("what reaches no method is refused in the dialect of the service that is named", () => {
  assert.equal(router.dialectOf("yandex.localhost:8080"), "yandex");
  for (const authority of ["vault.localhost", "localhost", undefined]) {
    assert.equal(router.dialectOf(authority), "google");
  }
  assert.equal(new ServiceRouter({ services, only: "yandex" }).dialectOf("localhost"), "yandex");
});

test("a service is still found after thousands of made-up names", () => {
  const own = new ServiceRouter({ services });
  for (let i = 0; i < 5000; i++) assert.equal(own.named(`x${i}.example`), undefined);
  assert.equal(own.named("vault.localhost")?.declaration.id, "vault");
});
