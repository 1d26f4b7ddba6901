// What a method is for is told by its name, and scopes, limits and HEAD hang on it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OperationService } from "../protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { yandexService } from "../services/builtin/yandex.ts";
import type { ServiceMethod } from "../services/method.ts";
import type { MethodKind } from "../services/service-declaration.ts";
import { yandexHttpRules } from "../services/yandex/http-rules.ts";
import { bindMethods, methodKindOf } from "./bound-method.ts";
import { restBindings } from "./rest-routes.ts";

const kinds: readonly [string, MethodKind][] = [
  ["GetOperation", "get"],
  ["GetReceipt", "get"],
  ["Get", "get"],
  ["ListOperations", "list"],
  ["WaitOperation", "wait"],
  ["StartOperation", "start"],
  ["Create", "start"],
  ["CancelOperation", "cancel"],
  ["Cancel", "cancel"],
  ["DeleteOperation", "delete"],
  ["Revoke", "delete"],
];

for (const [name, kind] of kinds) {
  test(`${name} is a ${kind}`, () => assert.equal(methodKindOf(name), kind));
}

test("only a GET whose method changes nothing takes HEAD: not the one that cancels", () => {
  const reply = { encodeBinary: () => Buffer.alloc(0), encodeJson: () => "{}" };
  const methods: ServiceMethod[] = [OperationService.method.get, OperationService.method.cancel].map(
    (desc) => ({ desc, invoke: () => null, ...reply }),
  );
  const bound = bindMethods(yandexService, [
    { desc: OperationService, methods, httpRules: yandexHttpRules(yandexService) },
  ]);
  assert.deepEqual(
    bound.flatMap((method) =>
      restBindings(method).map(({ httpMethod, safe }) => `${method.kind} ${httpMethod} ${safe}`),
    ),
    ["get GET true", "cancel POST false", "cancel GET false"],
  );
});
