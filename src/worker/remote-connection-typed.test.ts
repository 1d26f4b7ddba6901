// A start method of a declared API whose handler runs far from the server: typed there as in process, and its response is
// a message of the declared type again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../base/logger.ts";
import {
  CountArtifactsResponseSchema,
  CountResultView,
  VaultService,
} from "../protocol/gen/vault/v1/vault_service_pb.ts";
import { vaultService } from "../services/builtin/vault.ts";
import { startTestServer } from "../testing/test-server.ts";
import { createWorker, defineMethod, defineOperation } from "./worker.ts";

test("a typed request reaches a remote handler as its message, and its answer is stored as the declared one", async () => {
  await using server = await startTestServer({ services: [vaultService] });
  const counting = defineMethod(
    {
      type: "vault.count-artifacts",
      method: VaultService.method.countArtifacts,
      response: CountArtifactsResponseSchema,
    },
    async ({ matterId, query, view }) => {
      assert.deepEqual([matterId, query, view], ["m1", { corpus: "MAIL" }, CountResultView.ALL]);
      return { totalCount: 9_007_199_254_740_993n };
    },
  );
  await using worker = createWorker({
    server: server.address,
    handlers: [counting],
    slots: 1,
    logger: createLogger("silent"),
  });
  await worker.start();
  const started = await fetch(`${server.url}/v1/matters/m1:count`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: { corpus: "MAIL" }, view: "ALL" }),
  });
  const { name = "" } = (await started.json()) as { name?: string };
  const key = { service: "vault", tenant: "default", name };
  const { record, response } = await server.engine.wait(key, { timeoutMs: 8_000, onCallerGone() {} });
  assert.equal(record.state, "SUCCEEDED", JSON.stringify(record.outcome));
  assert.equal(response?.typeUrl, "type.googleapis.com/vault.v1.CountArtifactsResponse");
  const shown = await fetch(`${server.url}/v1/${name}`);
  assert.deepEqual(((await shown.json()) as { response: object }).response, {
    "@type": "type.googleapis.com/vault.v1.CountArtifactsResponse",
    totalCount: "9007199254740993",
  });
});

test("a plain handler far from the server gets the request's JSON, as it does in the server's process", async () => {
  await using server = await startTestServer({ services: [vaultService] });
  const seen = Promise.withResolvers<unknown>();
  const counting = defineOperation({ type: "vault.count-artifacts" }, async (_context, input) => {
    seen.resolve(input);
    return { totalCount: "12" };
  });
  const logger = createLogger("silent");
  await using worker = createWorker({ server: server.address, handlers: [counting], slots: 1, logger });
  await worker.start();
  await fetch(`${server.url}/v1/matters/m1:count`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: { corpus: "MAIL" }, view: "ALL" }),
  });
  assert.deepEqual(await seen.promise, { matterId: "m1", query: { corpus: "MAIL" }, view: "ALL" });
});
