import assert from "node:assert/strict";
import { test } from "node:test";
import type { DescService, JsonObject } from "@bufbuild/protobuf";
import { AutoMl } from "../../protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { VaultService } from "../../protocol/gen/vault/v1/vault_service_pb.ts";
import { TextRecognitionAsyncService } from "../../protocol/gen/yandex/cloud/ai/ocr/v1/ocr_service_pb.ts";
import { createTypeRegistry } from "../../protocol/type-registry.ts";
import { defineService } from "../define-service.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { DiskService, diskDeclaration, registryOfFile, shopDeclaration } from "./shop-service.fixture.ts";
import { kebabCase, startMethodsOf } from "./start-methods.ts";

function described(methods: ReturnType<typeof startMethodsOf>): Record<string, string[]> {
  return Object.fromEntries(
    methods.map(({ desc, type, response, metadata }) => [
      desc.name,
      [type, response.typeName, metadata?.typeName ?? ""],
    ]),
  );
}

test("annotated methods that return the dialect's Operation start operations of their messages", () => {
  assert.deepEqual(described(startMethodsOf(shopDeclaration())), {
    CreateOrder: ["shop.create-order", "shop.v1.Order", "shop.v1.OrderMetadata"],
    DeleteOrder: ["shop.delete-order", "google.protobuf.Empty", "shop.v1.OrderMetadata"],
    UpdateOrder: ["shop.update-order", "shop.v1.Order", ""],
  });
});

test("a Yandex method without a response answers Empty, and names are looked for from the inside out", () => {
  assert.deepEqual(described(startMethodsOf(diskDeclaration())), {
    Resize: ["disk.resize", "disk.v1.Disk", "disk.v1.DiskMetadata"],
    Erase: ["disk.erase", "google.protobuf.Empty", "disk.v1.DiskMetadata"],
  });
});

test("the metadata of the service stands in for one that a method does not name", () => {
  const methods = startMethodsOf(shopDeclaration({ metadataType: "shop.v1.OrderMetadata" }));
  assert.equal(described(methods)["UpdateOrder"]?.[2], "shop.v1.OrderMetadata");
});

test("startTypes gives a method another operation type", () => {
  const methods = startMethodsOf(
    shopDeclaration({ startTypes: { "shop.v1.Shop.CreateOrder": "shop.order" } }),
  );
  assert.equal(described(methods)["CreateOrder"]?.[0], "shop.order");
});

test("the built-in APIs resolve", () => {
  const automl = defineService({
    id: "automl",
    parents: ["projects/*/locations/*"],
    startServices: [AutoMl],
  });
  assert.deepEqual(described(startMethodsOf(automl)), {
    CreateModel: [
      "automl.create-model",
      "google.cloud.automl.v1beta1.Model",
      "google.cloud.automl.v1beta1.OperationMetadata",
    ],
    DeleteModel: [
      "automl.delete-model",
      "google.protobuf.Empty",
      "google.cloud.automl.v1beta1.OperationMetadata",
    ],
  });
  const vault = defineService({ id: "vault", startServices: [VaultService] });
  assert.deepEqual(described(startMethodsOf(vault)), {
    CountArtifacts: ["vault.count-artifacts", "vault.v1.CountArtifactsResponse", ""],
  });
  const ocr = defineService({
    id: "yandex",
    dialect: "yandex",
    startServices: [TextRecognitionAsyncService],
  });
  assert.deepEqual(described(startMethodsOf(ocr)), {
    Recognize: ["yandex.recognize", "yandex.cloud.ai.ocr.v1.RecognizeTextResponse", ""],
  });
});

/** A service of one method with the given annotation. */
function serviceWith(info: JsonObject, methodName = "Build"): DescService {
  const registry = registryOfFile({
    name: "broken/v1/broken.proto",
    package: "broken.v1",
    messageType: [{ name: "Request" }],
    service: [
      {
        name: "Broken",
        method: [
          {
            name: methodName,
            inputType: ".broken.v1.Request",
            outputType: ".google.longrunning.Operation",
            options: { "[google.longrunning.operation_info]": info },
          },
        ],
      },
    ],
  });
  return registry.getService("broken.v1.Broken") as DescService;
}

/** As defineService would make it if it did not look for the same errors itself. */
function brokenDeclaration(service: DescService): ServiceDeclaration {
  return { ...defineService({ id: "broken" }), startServices: [service] };
}

const broken = [
  {
    what: "a response that is no message",
    declaration: () => brokenDeclaration(serviceWith({ responseType: "Thing" })),
    message:
      'broken/v1/broken.proto: broken.v1.Broken.Build: operation_info.response_type names "Thing", which is no message of the service\'s descriptors; expected a name in broken.v1, or a full one',
  },
  {
    what: "metadata that is no message",
    declaration: () =>
      brokenDeclaration(serviceWith({ responseType: "Request", metadataType: "other.v1.Meta" })),
    message: /Broken\.Build: operation_info\.metadata_type names "other\.v1\.Meta"/,
  },
  {
    what: "no response",
    declaration: () => brokenDeclaration(serviceWith({ metadataType: "Request" })),
    message:
      "broken/v1/broken.proto: broken.v1.Broken.Build: operation_info.response_type is missing; expected a message's name",
  },
  {
    what: "a name that makes no operation type",
    declaration: () =>
      brokenDeclaration(serviceWith({ responseType: "Request" }, `Build${"Everything".repeat(6)}`)),
    message: /is no operation type; expected words of \[a-z0-9-\] joined by dots, at most 63 characters/,
  },
  {
    what: "two methods of one type",
    declaration: () => ({
      ...shopDeclaration(),
      startTypes: { "shop.v1.Shop.CreateOrder": "shop.x", "shop.v1.Shop.DeleteOrder": "shop.x" },
    }),
    message:
      "shop/v1/shop.proto: shop.v1.Shop.DeleteOrder: operation type shop.x is that of shop.v1.Shop.CreateOrder too; expected a type of its own in startTypes",
  },
  {
    what: "a type for a method that starts nothing",
    declaration: () => ({ ...shopDeclaration(), startTypes: { "shop.v1.Shop.Plain": "shop.plain" } }),
    message:
      "service shop has no start method shop.v1.Shop.Plain; expected one of shop.v1.Shop.CreateOrder, shop.v1.Shop.DeleteOrder, shop.v1.Shop.UpdateOrder",
  },
  {
    what: "an API of the other dialect",
    declaration: () => ({ ...shopDeclaration(), startServices: [DiskService] }),
    message:
      "disk/v1/disk_service.proto: disk.v1.DiskService.Resize: it returns yandex.cloud.operation.Operation, and service shop has the dialect google",
  },
];

for (const { what, declaration, message } of broken) {
  test(`${what} is an error at start that names the file and the method`, () => {
    assert.throws(() => startMethodsOf(declaration()), { name: "StartMethodError", message });
  });
}

test("an explicit registry need not hold what the method's own file imports", () => {
  const methods = startMethodsOf(shopDeclaration({ registry: createTypeRegistry() }));
  assert.equal(methods.length, 3);
});

const names: readonly [string, string][] = [
  ["CreateModel", "create-model"],
  ["StartHTTPCheck", "start-http-check"],
  ["Get2Things", "get2-things"],
  ["recognize", "recognize"],
];

for (const [name, kebab] of names) {
  test(`${name} in kebab case is ${kebab}`, () => assert.equal(kebabCase(name), kebab));
}
