// Both listeners with methods of the test's own making: what a service does wrong stays inside.
import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { after, before, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { pino } from "pino";
import { Measurements } from "../base/measurements.ts";
import {
  type GetReceiptRequest,
  GetReceiptRequestSchema,
  Operations,
  ReceiptSchema,
} from "../protocol/gen/belay/v1/operations_pb.ts";
import { defaultService } from "../services/builtin/default.ts";
import { HealthService } from "../services/health/health-service.ts";
import type { CallContext, ServiceMethod } from "../services/method.ts";
import { openIdentity } from "./auth/identity.ts";
import { bindMethods } from "./bound-method.ts";
import { defaultLimits } from "./config.ts";
import { createGuard } from "./guard.ts";
import { createAuthenticate } from "./interceptors/authenticate.ts";
import { createLog } from "./interceptors/log.ts";
import { createMeasure } from "./interceptors/measure.ts";
import { MetricsPage } from "./metrics/metrics-page.ts";
import { OnePortListener } from "./one-port-listener.ts";
import { OpenStreams } from "./open-streams.ts";
import { Pipeline } from "./pipeline.ts";
import { ProtocolListeners } from "./protocol-listeners.ts";
import { anonymous } from "./server-call.ts";
import { ServiceRouter } from "./service-router.ts";

const SECRET = "SELECT token FROM keys in /var/lib/belay";

/** By the name that is asked for. */
const behaviours: Record<string, (context: CallContext) => unknown> = {
  "operations/throws": () => {
    throw new Error(SECRET);
  },
  "operations/rejects": () => Promise.reject(new TypeError(SECRET)),
  "operations/throws-no-error": () => {
    throw SECRET;
  },
  // The reply is no Receipt: its encoder fails.
  "operations/unencodable": () => Promise.resolve({ broken: true }),
  "operations/answers": () => create(ReceiptSchema, { name: "operations/answers" }),
  "operations/answers-later": async () => create(ReceiptSchema, { name: "operations/answers" }),
  "operations/tells": (context) => {
    context.setTrailer("belay-test", "told");
    return create(ReceiptSchema, {
      reason: `${context.transport} ${context.principal.id} ${context.requestId}`,
    });
  },
  "operations/waits": (context) =>
    new Promise((resolve) => {
      context.onCallerGone(() => {
        gone.push(context.transport);
        resolve(create(ReceiptSchema));
      });
      waiting?.();
    }),
};
const gone: string[] = [];
let waiting: (() => void) | undefined;

const method: ServiceMethod<GetReceiptRequest, unknown> = {
  desc: Operations.method.getReceipt,
  invoke: ({ name }, context) => behaviours[name]?.(context),
  encodeBinary: (reply) => toBinary(ReceiptSchema, reply as never),
  encodeJson: (reply) => {
    if (!(reply as { $typeName?: string }).$typeName) throw new Error(SECRET);
    return JSON.stringify({
      name: (reply as { name: string }).name,
      reason: (reply as { reason: string }).reason,
    });
  },
};

const lines: string[] = [];
const logger = pino({ level: "debug", base: null }, { write: (line: string) => void lines.push(line) });
const methods = bindMethods(defaultService, [
  { desc: Operations, methods: [method] as unknown as ServiceMethod[] },
]);
const router = new ServiceRouter({ services: [{ declaration: defaultService, methods, streams: [] }] });
const measurements = new Measurements();
const listeners = new ProtocolListeners({
  router,
  hasIdentity: false,
  metrics: new MetricsPage({ measurements, identity: openIdentity({ folder: null, logger }), methods: [] }),
  openStreams: new OpenStreams(),
  health: new HealthService([]),
  pipeline: new Pipeline([
    createMeasure(measurements),
    createLog(logger),
    // A promise, as an authenticator that fetches keys answers.
    createAuthenticate(async () => anonymous),
  ]),
  guard: createGuard({ allowedHosts: [], requireLoopback: true }),
  limits: defaultLimits,
  logger,
});
const port = new OnePortListener({
  host: "127.0.0.1",
  port: 0,
  connectionsMax: 100,
  peekTimeoutMs: 5000,
  onHttp1: (socket) => listeners.acceptHttp1(socket),
  onHttp2: (socket) => listeners.acceptHttp2(socket),
});
let client: Client;
let address: string;

before(async () => {
  address = `127.0.0.1:${(await port.listen()).port}`;
  client = new Client(address, credentials.createInsecure());
});
after(async () => {
  client.close();
  const stopped = port.stop();
  listeners.destroy();
  port.destroyConnections();
  await stopped;
});

interface Answer {
  code: number;
  text: string;
  trailer: string | undefined;
}

function callGrpc(name: string): Promise<Answer> & { cancel(): void } {
  const identity = (bytes: Buffer): Buffer => bytes;
  const request = Buffer.from(toBinary(GetReceiptRequestSchema, create(GetReceiptRequestSchema, { name })));
  let trailer: string | undefined;
  let cancel = (): void => {};
  const answer = new Promise<Answer>((resolve) => {
    const path = "/belay.v1.Operations/GetReceipt";
    const call = client.makeUnaryRequest(
      path,
      identity,
      identity,
      request,
      (error: ServiceError | null, bytes) => {
        setImmediate(() =>
          resolve({ code: error?.code ?? 0, text: error?.details ?? bytes?.toString("utf8") ?? "", trailer }),
        );
      },
    );
    call.on("status", ({ metadata }) => {
      trailer = metadata.get("belay-test")[0]?.toString();
    });
    cancel = () => call.cancel();
  });
  return Object.assign(answer, { cancel });
}

async function callRest(name: string): Promise<Answer> {
  const response = await fetch(`http://${address}/belay/v1/${name}/receipt`);
  return {
    code: response.ok ? 0 : response.status,
    text: await response.text(),
    trailer: response.headers.get("belay-test") ?? undefined,
  };
}

for (const name of ["throws", "rejects", "throws-no-error", "unencodable"]) {
  test(`a method that ${name} is INTERNAL on both transports, logged with its cause, and tells the caller nothing`, async () => {
    lines.length = 0;
    const [grpc, rest] = [await callGrpc(`operations/${name}`), await callRest(`operations/${name}`)];
    assert.deepEqual([grpc.code, rest.code], [13, 500]);
    for (const { text } of [grpc, rest]) {
      assert.ok(!text.includes("SELECT"), text);
      assert.match(text, /internal error; the server's log has the details under request /);
    }
    const logged = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 50);
    assert.equal(logged.length, 2);
    for (const { requestId } of logged) {
      assert.ok(grpc.text.includes(requestId) || rest.text.includes(requestId));
    }
  });
}

for (const name of ["answers", "answers-later"]) {
  test(`a method that ${name} is answered on both transports`, async () => {
    const [grpc, rest] = [await callGrpc(`operations/${name}`), await callRest(`operations/${name}`)];
    assert.deepEqual([grpc.code, rest.code], [0, 0]);
    assert.ok(grpc.text.includes("operations/answers") && rest.text.includes("operations/answers"));
  });
}

test("a method sees its caller, and what it sets comes as trailer or header", async () => {
  const [grpc, rest] = [await callGrpc("operations/tells"), await callRest("operations/tells")];
  assert.deepEqual([grpc.trailer, rest.trailer], ["told", "told"]);
  assert.match(grpc.text, /grpc anonymous \S+/);
  assert.match(rest.text, /rest anonymous \S+/);
});

test("a method hears once that its caller went away, and the call is counted as cancelled", async () => {
  const counters = methods[0]!.counters;
  const before = counters.finished[1] ?? 0;
  const started = (): Promise<void> =>
    new Promise((resolve) => {
      waiting = resolve;
    });
  let isWaiting = started();
  const call = callGrpc("operations/waits");
  await isWaiting;
  call.cancel();
  assert.equal((await call).code, 1);
  isWaiting = started();
  const request = httpRequest(`http://${address}/belay/v1/operations/waits/receipt`);
  request.on("error", () => {});
  request.end();
  await isWaiting;
  request.destroy();
  while ((counters.finished[1] ?? 0) < before + 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(gone, ["grpc", "rest"]);
  assert.equal(counters.inFlight, 0);
});
