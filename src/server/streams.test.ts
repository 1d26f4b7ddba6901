// Streams on both protocols over real sockets, with a method of the test's own making: what a client is told and when, what
// one costs that does not read, and that none of them holds up the end of the server.
import assert from "node:assert/strict";
import { type ClientRequest, get, type IncomingMessage } from "node:http";
import { after, before, test } from "node:test";
import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import {
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { pino } from "pino";
import { Measurements } from "../base/measurements.ts";
import { RpcError } from "../base/rpc-error.ts";
import {
  Operations,
  type WatchOperationsRequest,
  WatchOperationsRequestSchema,
  type WatchOperationsResponse,
  WatchOperationsResponseSchema,
} from "../protocol/gen/belay/v1/operations_pb.ts";
import { vaultService } from "../services/builtin/vault.ts";
import { HealthService } from "../services/health/health-service.ts";
import type { ResponseStream, StreamContext, StreamMethod } from "../services/stream-method.ts";
import { eventually } from "../testing/eventually.ts";
import { openIdentity } from "./auth/identity.ts";
import { bindStreams } from "./bound-method.ts";
import { defaultLimits } from "./config.ts";
import { createGuard } from "./guard.ts";
import { createAuthenticate } from "./interceptors/authenticate.ts";
import { createAuthorize } from "./interceptors/authorize.ts";
import { Limits } from "./interceptors/limits.ts";
import { createMeasure } from "./interceptors/measure.ts";
import { MetricsPage } from "./metrics/metrics-page.ts";
import { OnePortListener } from "./one-port-listener.ts";
import { OpenStreams } from "./open-streams.ts";
import { Pipeline } from "./pipeline.ts";
import { ProtocolListeners } from "./protocol-listeners.ts";
import { ServiceRouter } from "./service-router.ts";

const READ = "https://www.googleapis.com/auth/ediscovery.readonly";

/** A stream as the method has it. */
interface Opened {
  responses: ResponseStream<WatchOperationsResponse>;
  context: StreamContext;
  request: WatchOperationsRequest | undefined;
  isFinished: boolean;
  isGone: boolean;
}
const opened: Opened[] = [];

const event = (resumeToken: string): WatchOperationsResponse =>
  create(WatchOperationsResponseSchema, { resumeToken });

const watch: StreamMethod<WatchOperationsRequest, WatchOperationsResponse> = {
  desc: Operations.method.watchOperations,
  eventId: ({ resumeToken }) => resumeToken,
  open(responses, context) {
    const stream: Opened = { responses, context, request: undefined, isFinished: false, isGone: false };
    opened.push(stream);
    return {
      received(request) {
        if (request.filter === "throws") throw new Error("SELECT * FROM secrets");
        stream.request = request;
      },
      finished() {
        stream.isFinished = true;
      },
      gone() {
        stream.isGone = true;
      },
    };
  },
};

const measurements = new Measurements();
const logger = pino({ level: "silent" });
const limits = { ...defaultLimits, waitsPerConnectionMax: 2 };
const openStreams = new OpenStreams();
const streams = bindStreams(vaultService, [
  { desc: Operations, methods: [], streams: [watch as unknown as StreamMethod] },
]);
const listeners = new ProtocolListeners({
  router: new ServiceRouter({ services: [{ declaration: vaultService, methods: [], streams }] }),
  hasIdentity: true,
  metrics: new MetricsPage({ measurements, identity: openIdentity({ folder: null, logger }), methods: [] }),
  openStreams,
  health: new HealthService([]),
  pipeline: new Pipeline([
    createMeasure(measurements),
    createAuthenticate(async (call) => {
      const id = call.header("authorization");
      if (id === undefined || id === "nobody") throw new RpcError("CREDENTIALS_MISSING");
      const base = { id, tenant: "acme", grants: null };
      if (id === "worker") return { ...base, scopes: null, workerTypes: ["*"] };
      return { ...base, scopes: id === "unscoped" ? [] : [READ] };
    }),
    createAuthorize({ hasIdentity: true }),
    new Limits(limits),
  ]),
  guard: createGuard({ allowedHosts: [], requireLoopback: true }),
  limits,
  logger,
});
const port = new OnePortListener({
  ...{ host: "127.0.0.1", port: 0, connectionsMax: 100, peekTimeoutMs: 1000, tls: undefined, logger },
  onHttp1: (socket) => listeners.acceptHttp1(socket),
  onHttp2: (socket) => listeners.acceptHttp2(socket),
});
let portNumber = 0;
before(async () => {
  portNumber = (await port.listen()).port;
});
after(async () => {
  listeners.destroy();
  port.destroyConnections();
  await port.stop();
});

/** The newest stream, once it is opened. */
async function newest(before: number): Promise<Opened> {
  return await eventually("the stream is opened", () => opened[before]?.isFinished && opened[before]);
}

interface Reading {
  request: ClientRequest;
  response: IncomingMessage;
  /** All that came so far. */
  text: string;
  hasEnded: boolean;
}

/** Opens server-sent events, and reads them unless `paused`. */
function openEvents(
  query: string,
  headers: Record<string, string> = {},
  options: { paused?: boolean; method?: string } = {},
): { head: Promise<Reading>; request: ClientRequest } {
  const { promise, resolve, reject } = Promise.withResolvers<Reading>();
  const request = get(
    {
      ...{ host: "127.0.0.1", port: portNumber, path: `/belay/v1/operations:watch${query}`, agent: false },
      headers: { authorization: "reader", ...headers },
      method: options.method ?? "GET",
    },
    (response) => {
      const reading: Reading = { request, response, text: "", hasEnded: false };
      response.on("end", () => {
        reading.hasEnded = true;
      });
      if (!options.paused) {
        response.setEncoding("utf8").on("data", (chunk: string) => {
          reading.text += chunk;
        });
      }
      resolve(reading);
    },
  );
  request.on("error", reject);
  return { head: promise, request };
}

async function bodyOf(reading: Reading): Promise<string> {
  await eventually("the answer has ended", () => reading.hasEnded);
  return reading.text;
}

test("each message is an event of one line, with its id, after a hint when to come back", async () => {
  const { head } = openEvents("?filter=a");
  const { responses, request } = await newest(opened.length);
  assert.equal(request?.filter, "a");
  assert.equal(responses.send(event("t1")), true);
  const reading = await head;
  assert.equal(reading.response.statusCode, 200);
  assert.equal(reading.response.headers["content-type"], "text/event-stream; charset=utf-8");
  assert.equal(reading.response.headers["cache-control"], "no-store");
  await eventually("the first event is there before the second is sent", () => reading.text.includes("t1"));
  responses.send(event("t2"));
  responses.end();
  assert.equal(
    await bodyOf(reading),
    'retry: 1000\n\nid: t1\ndata: {"resumeToken":"t1"}\n\nid: t2\ndata: {"resumeToken":"t2"}\n\n',
  );
});

test("an empty stream has a head before anything happens, so that its client knows that it watches", async () => {
  const before = opened.length;
  const { head, request } = openEvents("");
  const { responses } = await newest(before);
  const reading = await head;
  assert.equal(reading.response.statusCode, 200);
  assert.equal(responses.bufferedBytes, 0);
  request.on("error", () => {}).destroy();
  await eventually("the method hears that the client is gone", () => opened[before]?.isGone);
});

for (const [headers, token] of [
  [{}, "old"],
  [{ "last-event-id": "new" }, "new"],
  [{ "last-event-id": "" }, "old"],
] as const) {
  test(`Last-Event-ID ${JSON.stringify(headers)} beside resume_token=old resumes after ${token}`, async () => {
    const before = opened.length;
    const { head } = openEvents("?resume_token=old", headers);
    const { request, responses } = await newest(before);
    assert.equal(request?.resumeToken, token);
    responses.end();
    await head;
  });
}

test("an error before the first event is an ordinary one; a later one is an event with its Status", async () => {
  const before = opened.length;
  const early = openEvents("");
  (await newest(before)).responses.end(new RpcError("RESUME_TOKEN_EXPIRED"));
  const refused = await early.head;
  assert.equal(refused.response.statusCode, 400);
  assert.match(refused.response.headers["content-type"] ?? "", /^application\/json/);
  assert.match(await bodyOf(refused), /"RESUME_TOKEN_EXPIRED"/);

  const late = openEvents("");
  const { responses } = await newest(before + 1);
  responses.send(event("t1"));
  responses.end(new RpcError("WATCH_TOO_SLOW", { seconds: 30 }));
  const text = await bodyOf(await late.head);
  const [, , data = ""] = text.split("\n\n").map((part) => part.replace("event: error\ndata: ", ""));
  const { code, details } = JSON.parse(data) as { code: number; details: { reason: string }[] };
  assert.deepEqual([code, details[0]?.reason], [8, "WATCH_TOO_SLOW"]);
  assert.match(text, /\n\nevent: error\ndata: /);
});

test("what a method throws is told to nobody", async () => {
  const { head } = openEvents("?filter=throws");
  const reading = await head;
  assert.equal(reading.response.statusCode, 500);
  assert.doesNotMatch(await bodyOf(reading), /secrets/);
});

test("HEAD and POST open nothing", async () => {
  const before = opened.length;
  for (const method of ["HEAD", "POST"]) {
    const { head } = openEvents("", {}, { method });
    assert.equal((await head).response.statusCode, 405, method);
  }
  assert.equal(opened.length, before);
});

test("a client that does not read stops the sender at 64 KiB, and reading lets it go on", async () => {
  const before = opened.length;
  const { head } = openEvents("", {}, { paused: true });
  const { responses } = await newest(before);
  let drained = 0;
  responses.onDrain(() => {
    drained++;
  });
  let sent = 0;
  // The system's own buffers take some megabytes first.
  while (responses.send(event("x".repeat(20_000)))) {
    if (++sent % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(
    responses.bufferedBytes > 65_536 && responses.bufferedBytes < 2_000_000,
    `${responses.bufferedBytes}`,
  );
  assert.equal(drained, 0);
  const reading = await head;
  reading.response.resume();
  await eventually("there is room again", () => drained === 1);
  assert.ok(responses.bufferedBytes <= 32_768);
  responses.end();
  await eventually("the answer has ended", () => reading.hasEnded);
});

test("a silent stream says every 15 s that it lives", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const before = opened.length;
  const { head } = openEvents("");
  const { responses } = await newest(before);
  responses.send(event("t1"));
  const reading = await head;
  t.mock.timers.tick(14_999);
  responses.send(event("t2"));
  t.mock.timers.tick(1);
  responses.send(event("t3"));
  responses.end();
  assert.match(await bodyOf(reading), /"t2"\}\n\n: \n\nid: t3/);
});

interface GrpcStream {
  call: ClientReadableStream<Message>;
  tokens: string[];
  /** The code it ended with, and the reason of its error. */
  ended: Promise<number>;
  client: Client;
}

function openGrpc(authorization: string | null, client = grpcClient()): GrpcStream {
  const metadata = new Metadata();
  if (authorization !== null) metadata.set("authorization", authorization);
  const call = client.makeServerStreamRequest(
    "/belay.v1.Operations/WatchOperations",
    (request: Message) => Buffer.from(toBinary(WatchOperationsRequestSchema, request as never)),
    (bytes: Buffer): Message => fromBinary(WatchOperationsResponseSchema, bytes),
    create(WatchOperationsRequestSchema) as Message,
    metadata,
  );
  const tokens: string[] = [];
  call.on("data", (message: WatchOperationsResponse) => tokens.push(message.resumeToken));
  const ended = new Promise<number>((resolve) => {
    call.on("error", (error: ServiceError) => resolve(error.code));
    call.on("end", () => setImmediate(resolve, 0));
  });
  return { call, tokens, ended, client };
}

function grpcClient(): Client {
  return new Client(`127.0.0.1:${portNumber}`, credentials.createInsecure());
}

test("on gRPC a stream has its caller's principal and tenant, and ends with OK", async () => {
  const before = opened.length;
  const { tokens, ended, client } = openGrpc("reader");
  const { responses, context } = await newest(before);
  assert.deepEqual(
    [context.principal.id, context.principal.tenant, context.service, context.transport],
    ["reader", "acme", "vault", "grpc"],
  );
  responses.send(event("t1"));
  responses.send(event("t2"));
  responses.end();
  assert.equal(await ended, 0);
  assert.deepEqual(tokens, ["t1", "t2"]);
  client.close();
});

for (const [authorization, code, httpStatus, why] of [
  [null, status.UNAUTHENTICATED, 401, "without a credential"],
  ["unscoped", status.PERMISSION_DENIED, 403, "without a scope of Get"],
  ["worker", status.PERMISSION_DENIED, 403, "with a worker's credential"],
] as const) {
  test(`no stream is opened ${why}`, async () => {
    const before = opened.length;
    const { ended, client } = openGrpc(authorization);
    assert.equal(await ended, code);
    client.close();
    const { head } = openEvents("", { authorization: authorization ?? "nobody" });
    assert.equal((await head).response.statusCode, httpStatus);
    assert.equal(opened.length, before);
  });
}

test("a connection has its share of streams, and no more", async () => {
  const before = opened.length;
  const client = grpcClient();
  const first = openGrpc("reader", client);
  const second = openGrpc("reader", client);
  await newest(before + 1);
  assert.equal(await openGrpc("reader", client).ended, status.RESOURCE_EXHAUSTED);
  first.call.cancel();
  await eventually(
    "the method hears of the cancel",
    () => opened[before]?.isGone || opened[before + 1]?.isGone,
  );
  const third = openGrpc("reader", client);
  await newest(before + 2);
  for (const { responses } of opened.slice(before)) responses.end();
  await Promise.all([second.ended, third.ended]);
  client.close();
});

// The last one: from here on every stream is ended.
test("streams are told when the server stops, and none of them holds it up", async () => {
  const before = opened.length;
  const { head } = openEvents("");
  await newest(before);
  const { ended, client } = openGrpc("reader");
  const { responses } = await newest(before + 1);
  responses.send(event("last"));
  openStreams.drain();
  const text = await bodyOf(await head);
  assert.doesNotMatch(text, /event: error/);
  assert.match(text, /retry: 1000\n\n$|^\{/);
  assert.equal(await ended, status.UNAVAILABLE);
  assert.equal(openStreams.count, 0);
  client.close();
});
