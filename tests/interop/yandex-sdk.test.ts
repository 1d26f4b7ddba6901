// The real Yandex Cloud SDKs for Node.js, 2.x and 3.x, in the ways that their users have beside the sample: an endpoint and a
// CA of one's own, waitForOperation, a service account, and the OCR client that starts the work.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { clientVersion } from "./client-version.ts";
import { type ClientError, loadSdks, type Sdk, type SdkOperation, type Session } from "./yandex-sdks.ts";
import { startYandexWorld, type YandexWorld } from "./yandex-world.ts";

const CANCELLED = 1;
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const UNAUTHENTICATED = 16;

const absent = "ybl00000000000000000";

let world: YandexWorld;
let sdks: Sdk[];
before(async () => {
  world = await startYandexWorld();
  // What leads the fixed endpoints here; an endpoint of one's own is called directly.
  Object.assign(process.env, world.env);
  sdks = await loadSdks();
});
after(async () => {
  await world.stop();
});

async function rejection(promise: Promise<unknown>): Promise<ClientError> {
  return await promise.then(
    () => assert.fail("the call succeeded"),
    (error: unknown) => error as ClientError,
  );
}

for (const [index, name] of ["@yandex-cloud/nodejs-sdk", "yandex-nodejs-sdk-3"].entries()) {
  describe(clientVersion(name), () => {
    let sdk: Sdk;
    let endpoint: string;
    let session: Session;
    before(() => {
      sdk = sdks[index]!;
      endpoint = `localhost:${world.server.port}`;
      const ssl = { rootCerts: world.rootCerts };
      session = new sdk.Session({ iamToken: world.iamToken, ssl, pollInterval: 50 });
    });

    const cancel = (operationId: string, from = session): Promise<SdkOperation> => {
      const client = from.client(sdk.OperationServiceClient, endpoint);
      return client.cancel(sdk.CancelOperationRequest.fromPartial({ operationId }));
    };
    const get = (operationId: string): Promise<SdkOperation> => {
      const client = session.client(sdk.OperationServiceClient, endpoint);
      return client.get(sdk.GetOperationRequest.fromPartial({ operationId }));
    };

    test("cancel of a running operation answers it and stops the work", async (t) => {
      t.diagnostic(sdk.version);
      const id = await world.start();
      const pid = await world.server.heartbeats.working(id);
      const running = await get(id);
      assert.deepEqual(
        [running.id, running.done, running.error, running.response],
        [id, false, undefined, undefined],
      );
      assert.ok(running.createdAt instanceof Date && running.modifiedAt instanceof Date);
      const cancelled = await cancel(id);
      assert.equal(cancelled.id, id);
      // `error` is never set before `done`: waitForOperation would take it for the end.
      assert.equal(cancelled.done, cancelled.error !== undefined);
      const done = await world.untilDone(id);
      await world.server.heartbeats.assertStopped(id, pid);
      assert.equal(done.error?.code, CANCELLED);
      assert.deepEqual((await get(id)).error?.details, []);
    });

    test("many cancels at once and one too late all answer the operation", async () => {
      const id = await world.start();
      const pid = await world.server.heartbeats.working(id);
      const answers = await Promise.all(Array.from({ length: 5 }, () => cancel(id)));
      assert.deepEqual(new Set(answers.map((answer) => answer.id)), new Set([id]));
      await world.untilDone(id);
      await world.server.heartbeats.assertStopped(id, pid);
      const done = await get(id);
      assert.deepEqual(await cancel(id), done);
      assert.equal(done.error?.code, CANCELLED);
    });

    test("waitForOperation rejects with the cancelled operation", async () => {
      const id = await world.start();
      const pid = await world.server.heartbeats.working(id);
      const waiting = sdk.waitForOperation(await get(id), session, 20_000, endpoint);
      const rejected = waiting.then(
        () => assert.fail("it resolved"),
        (operation: SdkOperation) => operation,
      );
      await cancel(id);
      const operation = await rejected;
      assert.deepEqual([operation.id, operation.done, operation.error?.code], [id, true, CANCELLED]);
      await world.server.heartbeats.assertStopped(id, pid);
    });

    test("waitForOperation resolves with the finished operation", async () => {
      const id = await world.start("interop.nap");
      const operation = await sdk.waitForOperation(await get(id), session, 20_000, endpoint);
      assert.ok(operation.done && operation.response && !operation.error);
      assert.equal(operation.response.typeUrl, "type.googleapis.com/google.protobuf.Empty");
    });

    test("errors are ClientErrors with code and details, that is trailers only", async () => {
      const unknown = await rejection(cancel(absent));
      assert.deepEqual([unknown.name, unknown.code], ["ClientError", NOT_FOUND]);
      assert.equal(unknown.path, "/yandex.cloud.operation.OperationService/Cancel");
      assert.match(unknown.details, new RegExp(absent));
      assert.equal((await rejection(get(absent))).code, NOT_FOUND);
      for (const id of ["", "x".repeat(51)])
        assert.equal((await rejection(cancel(id))).code, INVALID_ARGUMENT, id);
      const stranger = new sdk.Session({ iamToken: "t1.nobody", ssl: { rootCerts: world.rootCerts } });
      assert.equal((await rejection(cancel(absent, stranger))).code, UNAUTHENTICATED);
    });

    test("a service account starts with the OCR client, cancels, and is the one who did it", async () => {
      const account = new sdk.Session({ serviceAccountJson: world.serviceAccount, pollInterval: 50 });
      const ocr = account.client(sdk.TextRecognitionAsyncServiceClient);
      const request = { content: Buffer.from("a page"), mimeType: "image/png", model: "page" };
      const { id, createdBy } = await ocr.recognize(sdk.RecognizeTextRequest.fromPartial(request));
      assert.equal(createdBy, world.serviceAccountId);
      const pid = await world.server.heartbeats.working(id);
      const client = account.client(sdk.OperationServiceClient);
      await client.cancel(sdk.CancelOperationRequest.fromPartial({ operationId: id }));
      const done = await world.untilDone(id);
      await world.server.heartbeats.assertStopped(id, pid);
      assert.deepEqual([done.error?.code, done.createdBy], [CANCELLED, world.serviceAccountId]);
    });

    test("the recognised text is the response that the SDK decodes", async () => {
      const ocr = session.client(sdk.TextRecognitionAsyncServiceClient, endpoint);
      const request = { content: Buffer.from("a page"), mimeType: "image/png", model: "quick" };
      const started = await ocr.recognize(sdk.RecognizeTextRequest.fromPartial(request));
      const { response } = await sdk.waitForOperation(started, session, 20_000, endpoint);
      assert.equal(response?.typeUrl, "type.googleapis.com/yandex.cloud.ai.ocr.v1.RecognizeTextResponse");
      // 2.x was made before the field full_text was.
      const { textAnnotation } = sdk.RecognizeTextResponse.decode(response.value);
      assert.equal(textAnnotation?.blocks[0]?.lines[0]?.text, "Dear Ada");
    });
  });
}
