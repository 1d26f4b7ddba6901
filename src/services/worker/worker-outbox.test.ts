// A worker that does not read: its stream is ended after 30 s, and its session is not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { pino } from "pino";
import { type ServerMessage, WorkerMessageSchema } from "../../protocol/gen/belay/v1/workers_pb.ts";
import { RecordedStream } from "../../testing/recorded-stream.ts";
import { startTestServer } from "../../testing/test-server.ts";
import { defaultService } from "../builtin/default.ts";
import { createPayloadCodec } from "../declared/payload-codec.ts";
import type { StreamContext } from "../stream-method.ts";
import { createWorkersService } from "./workers-service.ts";

const context: StreamContext = {
  requestId: "r1",
  principal: { id: "w", tenant: "default", scopes: null, grants: null },
  service: "default",
  transport: "grpc",
  authority: undefined,
};

test("a worker that reads nothing for 30 s is ended with WORKER_TOO_SLOW, and its session stays open", async (t) => {
  await using server = await startTestServer();
  const [connect] = createWorkersService(server.engine, {
    codec: createPayloadCodec([defaultService]),
    rulesOf: () => undefined,
    logger: pino({ level: "silent" }),
  }).streams;
  // Room for nothing: the welcome is sent, and stays unread.
  const stream = new RecordedStream<ServerMessage>(1);
  const requests = connect?.open(stream as never, context);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const hello = { worker: "deaf", types: [{ type: "test.deaf" }], slots: 1, lease: { seconds: 600n } };
  requests?.received(create(WorkerMessageSchema, { message: { case: "hello", value: hello } }));
  while (stream.sent.length === 0) await new Promise((resolve) => setImmediate(resolve));
  t.mock.timers.tick(29_999);
  const reason = (): string | undefined => stream.ending?.reason;
  assert.equal(reason(), undefined);
  t.mock.timers.tick(1);
  assert.equal(reason(), "WORKER_TOO_SLOW");
  t.mock.timers.reset();
  const deaf = (await server.engine.workers()).find(({ worker }) => worker === "deaf");
  assert.equal(deaf?.connected, false);
});
