// The service `yandex`: yandex.cloud.operation.OperationService, and what its clients ask before it (tokens, endpoints).
// Its page: `GET https://operation.api.cloud.yandex.net/operations/{operationId}:cancel`. One host serves gRPC and REST.
import { TextRecognitionAsyncService } from "../../protocol/gen/yandex/cloud/ai/ocr/v1/ocr_service_pb.ts";
import { defineService } from "../define-service.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";

export const yandexService: ServiceDeclaration = defineService({
  id: "yandex",
  dialect: "yandex",
  hosts: [
    "operation.api.cloud.yandex.net",
    "iam.api.cloud.yandex.net",
    "api.cloud.yandex.net",
    "ocr.api.cloud.yandex.net",
    "yandex.localhost",
  ],
  idPrefix: "ybl",
  pollIntervalSeconds: 1,
  startServices: [TextRecognitionAsyncService],
  title: "Operation API",
  documentationLink: "https://yandex.cloud/en/docs/api-design-guide/concepts/operation",
});
