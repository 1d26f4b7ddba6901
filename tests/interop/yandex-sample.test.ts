// The documentation's own sample, unchanged but for the operation's id, on the real SDK: it cancels work that runs here.
// The environment alone leads it to this server: https_proxy, and the CA.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { clientVersion } from "./client-version.ts";
import { runTypeScriptSample, sampleFile, sampleFor } from "./sample-run.ts";
import { OAUTH_SUBJECT, startYandexWorld, type YandexWorld } from "./yandex-world.ts";

const CANCELLED = 1;

/** SHA-256 of the code on the page https://sdk-docs.nikolaymatrosov.ru/docs/operation/OperationService/Cancel. */
const pageCode = {
  "cancel-operation.ts.txt": "5060a505ce82461493159b1d4c1cbdf1b4015eebcdf232535eb4d2190160cf51",
  "cancel-operation.py.txt": "ed1888da8c1a285b79075f8114e5abc6557f4ab330361f95fc0f7d3609ed64d1",
} as const;

for (const [name, digest] of Object.entries(pageCode)) {
  test(`${name} is the page's code, byte for byte; the id is all that a run replaces`, () => {
    const code = readFileSync(sampleFile(name));
    assert.equal(createHash("sha256").update(code).digest("hex"), digest);
    assert.equal(sampleFor(name, "operationId"), code.toString("utf8"));
    assert.equal(sampleFor(name, "ybl1").replace('"ybl1"', '"operationId"'), code.toString("utf8"));
  });
}

let world: YandexWorld;
before(async () => {
  world = await startYandexWorld();
});
after(async () => {
  await world.stop();
});

const variants = [
  { sample: "cancel-operation.ts.txt", sdk: "@yandex-cloud/nodejs-sdk" },
  { sample: "cancel-operation.sdk-3.ts.txt", sdk: "yandex-nodejs-sdk-3" },
] as const;

for (const { sample, sdk } of variants) {
  describe(`${sample} on ${clientVersion(sdk)}`, () => {
    test("cancels the running operation and prints it; the work has stopped", async (t) => {
      t.diagnostic(clientVersion(sdk));
      const operationId = await world.start();
      const pid = await world.server.heartbeats.working(operationId);
      world.proxy.hosts.length = 0;
      const run = await runTypeScriptSample(sample, { operationId, sdk, env: world.env });
      assert.equal(run.code, 0, run.stderr);
      assert.match(run.stdout, new RegExp(`\\bid: '${operationId}'`));
      assert.match(run.stdout, new RegExp(`\\bcreatedBy: '${OAUTH_SUBJECT}'`));
      assert.match(run.stdout, /\bdone: (?:true|false)\b/);
      assert.deepEqual(
        new Set(world.proxy.hosts),
        new Set(["operation.api.cloud.yandex.net", "iam.api.cloud.yandex.net"]),
      );
      const operation = await world.untilDone(operationId);
      await world.server.heartbeats.assertStopped(operationId, pid);
      assert.equal(operation.error?.code, CANCELLED);
    });

    test("prints the done operation unchanged when it comes too late", async () => {
      const operationId = await world.start("interop.nap");
      await world.untilDone(operationId);
      const run = await runTypeScriptSample(sample, { operationId, sdk, env: world.env });
      assert.equal(run.code, 0, run.stderr);
      assert.match(run.stdout, /\bdone: true\b/);
      assert.match(run.stdout, /\bresponse: \{/);
      assert.doesNotMatch(run.stdout, /\berror: \{/);
      assert.ok((await world.get(operationId)).response);
    });

    test("ends with NOT_FOUND for an unknown id, UNAUTHENTICATED for an unknown OAuth token", async () => {
      const options = { operationId: "ybl00000000000000000", sdk, env: world.env };
      const strange = { ...world.env, YC_OAUTH_TOKEN: "y0_of_nobody_that_is_known_here" };
      const [unknown, refused] = await Promise.all([
        runTypeScriptSample(sample, options),
        runTypeScriptSample(sample, { ...options, env: strange }),
      ]);
      assert.notEqual(unknown.code, 0);
      assert.match(unknown.stderr, /OperationService\/Cancel NOT_FOUND/);
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /UNAUTHENTICATED/);
    });
  });
}
