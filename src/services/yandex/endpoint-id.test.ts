import assert from "node:assert/strict";
import { test } from "node:test";
import { endpointIdOf } from "./endpoint-id.ts";

const rows: readonly [string, string][] = [
  ["yandex.cloud.operation.OperationService", "operation"],
  ["yandex.cloud.iam.v1.IamTokenService", "iam"],
  ["yandex.cloud.ai.ocr.v1.TextRecognitionAsyncService", "ai-vision-ocr"],
  ["yandex.cloud.ai.stt.v3.AsyncRecognizer", "ai-stt"],
  ["yandex.cloud.compute.v1.InstanceService", "compute"],
  ["yandex.cloud.serverless.functions.v1.FunctionService", "serverless-functions"],
  ["yandex.cloud.mdb.postgresql.v1.ClusterService", "managed-postgresql"],
  ["yandex.cloud.resourcemanager.v1.FolderService", "resource-manager"],
  ["yandex.cloud.baremetal.v1alpha.ServerService", "baremetal"],
  ["acme.reports.v2.ReportService", "acme-reports"],
];
for (const [service, id] of rows) {
  test(`${service} is found as ${id}`, () => assert.equal(endpointIdOf(service), id));
}
