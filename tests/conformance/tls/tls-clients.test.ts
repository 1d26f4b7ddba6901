// The whole server behind TLS, with the clients that people have: grpc-js, node:http2, node:https and curl, each with
// the CA that `belay tls` makes. What each protocol answers is tested in ../lro; here, that it gets through.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { Agent, type RequestOptions, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { type ChannelOptions, Client, credentials } from "@grpc/grpc-js";
import { type TlsFolder, writeTlsFolder } from "../../../src/cli/tls/tls-folder.ts";
import { WaitOperationRequestSchema } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import type { TestServerOptions } from "../../../src/testing/test-server.ts";
import { type CallFailure, grpcLroClient } from "../lro/lro-client.ts";
import { type LroWorld, startWorld } from "../lro/lro-world.ts";

const run = promisify(execFile);

let folder: string;
let made: TlsFolder;
let ca: Buffer;
let world: LroWorld;

async function startTlsWorld(tls: Partial<TestServerOptions["tls"]> = {}): Promise<LroWorld> {
  return await startWorld({ tls: { certFile: made.certFile, keyFile: made.keyFile, ...tls } });
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "belay-tls-clients-"));
  made = await writeTlsFolder({ folder, names: ["localhost", "127.0.0.1"] });
  ca = readFileSync(made.caFile);
  world = await startTlsWorld();
});
after(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function grpcClient(port: number, roots: Buffer | null = ca, options: ChannelOptions = {}): Client {
  return new Client(`localhost:${port}`, credentials.createSsl(roots), {
    "grpc.use_local_subchannel_pool": 1,
    ...options,
  });
}

interface Answer {
  status: number;
  text: string;
  reused: boolean;
}

function get(path: string, options: RequestOptions & { port: number }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: "localhost", path, ca, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text, reused: call.reusedSocket }),
      );
    });
    call.on("error", reject);
    call.end();
  });
}

test("a grpc-js client reads, waits and cancels over TLS", async () => {
  const grpc = grpcClient(world.port);
  const client = grpcLroClient(grpc);
  const name = await world.startRunning();
  assert.equal((await client.get(name)).done, false);
  const waiting = client.wait(name, 10_000);
  assert.equal(await client.cancel(name), "STOPPING");
  assert.equal((await waiting).error?.code, 1);
  await assert.rejects(
    client.get("operations/none"),
    (error: CallFailure) => error.code === 5 && error.reason === "OPERATION_NOT_FOUND",
  );
  grpc.close();
});

test("100 gRPC calls at once are answered over one TLS channel", async () => {
  const grpc = grpcClient(world.port);
  const name = await world.startDone();
  const seen = await Promise.all(Array.from({ length: 100 }, () => grpcLroClient(grpc).get(name)));
  assert.ok(seen.every(({ done }) => done));
  grpc.close();
});

test("an answer of many TLS records comes whole, on both transports", async () => {
  const grpc = grpcClient(world.port);
  const name = await world.startDone("test.echo", { text: "x".repeat(250_000) });
  assert.equal((await grpcLroClient(grpc).get(name)).done, true);
  const { text } = await get(`/v1/${name}`, { port: world.port });
  assert.equal(JSON.parse(text).response.value.text.length, 250_000);
  grpc.close();
});

test("a grpc-js client that does not know the CA, or that calls for another name, is UNAVAILABLE", async () => {
  const strangers = [
    grpcClient(world.port, null),
    grpcClient(world.port, ca, { "grpc.ssl_target_name_override": "vault.googleapis.com" }),
  ];
  for (const grpc of strangers) {
    await assert.rejects(grpcLroClient(grpc).list(), (error: CallFailure) => error.code === 14);
    grpc.close();
  }
});

test("REST over TLS keeps its connection", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { port } = world;
  const first = await get("/v1/operations", { port, agent });
  const second = await get("/v1/operations/none", { port, agent });
  assert.deepEqual([first.status, second.status, first.reused, second.reused], [200, 404, false, true]);
  agent.destroy();
});

test("a page of the server's own https origin may call, one of its http origin not, and a prefetch never", async () => {
  const { port } = world;
  const headers = (more: Record<string, string>): { port: number; headers: Record<string, string> } => ({
    port,
    headers: { host: `localhost:${port}`, "sec-fetch-site": "same-origin", ...more },
  });
  const own = headers({ origin: `https://localhost:${port}` });
  const cleartext = headers({ origin: `http://localhost:${port}` });
  const prefetch = headers({ "sec-purpose": "prefetch" });
  assert.equal((await get("/v1/operations", own)).status, 200);
  assert.match((await get("/v1/operations", cleartext)).text, /CROSS_SITE_REFUSED/);
  assert.match((await get("/v1/operations", prefetch)).text, /PREFETCH_REFUSED/);
});

const curlRows: readonly [what: string, args: readonly string[], protocol: string][] = [
  ["curl, which offers both, gets HTTP/1.1", ["--http2"], "1.1"],
  ["curl --http1.1", ["--http1.1"], "1.1"],
  ["curl without ALPN", ["--no-alpn"], "1.1"],
  ["curl with TLS 1.2", ["--tlsv1.2", "--tls-max", "1.2"], "1.1"],
];

for (const [what, args, protocol] of curlRows) {
  test(what, async () => {
    const format = [
      "--silent",
      "--show-error",
      "--cacert",
      made.caFile,
      "--write-out",
      "\n%{http_code} %{http_version}",
    ];
    const { stdout } = await run("curl", [...format, ...args, `https://localhost:${world.port}/healthz`]);
    assert.equal(stdout, `{"status":"SERVING"}\n200 ${protocol}`);
  });
}

test("curl that does not know the CA refuses the server", async () => {
  await assert.rejects(run("curl", ["--silent", `https://localhost:${world.port}/healthz`]), { code: 60 });
});

/** The status of a gRPC call by node:http2 on a TLS connection with these protocols on offer. */
async function http2Status(port: number, ALPNProtocols: string[] | undefined): Promise<unknown> {
  const socket = connect({ port, host: "localhost", ca, ...(ALPNProtocols && { ALPNProtocols }) });
  await once(socket, "secureConnect");
  const session = connectHttp2(`https://localhost:${port}`, { createConnection: () => socket });
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(Buffer.alloc(5));
    stream.resume();
    const [trailers] = (await once(stream, "trailers")) as [Record<string, string>];
    return trailers["grpc-status"];
  } finally {
    session.destroy();
  }
}

test("an HTTP/2 client gets gRPC with h2 alone, and without ALPN by its preface", async () => {
  assert.equal(await http2Status(world.port, ["h2"]), "0");
  assert.equal(await http2Status(world.port, undefined), "0");
});

test("a server set to h2 first gives gRPC to a client that offers both, and REST to one that does not", async () => {
  await using h2First = await startTlsWorld({ alpnPreference: "h2" });
  assert.equal(await http2Status(h2First.port, ["http/1.1", "h2"]), "0");
  assert.equal((await get("/healthz", { port: h2First.port })).status, 200);
});

test("a server that refuses cleartext says so to REST, closes gRPC, and serves TLS", async () => {
  await using closed = await startTlsWorld({ cleartext: false });
  const reply = await fetch(`http://localhost:${closed.port}/v1/operations`);
  assert.deepEqual([reply.status, await reply.text()], [400, "this port takes TLS only: use https://\n"]);
  await assert.rejects(grpcLroClient(closed.grpc).list(), (error: CallFailure) => error.code === 14);
  const grpc = grpcClient(closed.port);
  assert.deepEqual((await grpcLroClient(grpc).list()).names, []);
  grpc.close();
});

test("a server that stops answers the waits that are held over TLS, and closes the connections", async () => {
  await using closing = await startTlsWorld();
  const grpc = grpcClient(closing.port);
  const name = await closing.startRunning();
  const rest = get(`/v1/${name}:wait`, { port: closing.port, method: "POST" });
  const waits = Array.from({ length: 50 }, () => grpcLroClient(grpc).wait(name, 60_000));
  await eventually("all are held", () => closing.engine.waiterCount === 51);
  const began = performance.now();
  const closed = closing.server.close({ graceMs: 20_000 });
  for (const { done } of await Promise.all(waits)) assert.equal(done, false);
  assert.equal((await rest).status, 200);
  await closed;
  assert.ok(performance.now() - began < 10_000);
  closing.finish(name);
  grpc.close();
});

for (const protocol of ["http/1.1", "h2"]) {
  test(`a TLS client that vanishes ends what it waited for by ${protocol}`, async () => {
    const name = await world.startRunning();
    const options = { port: world.port, host: "localhost", ca, ALPNProtocols: [protocol] };
    const socket = connect(options);
    await once(socket, "secureConnect");
    if (protocol === "h2") holdByGrpc(socket, name);
    else socket.write(`POST /v1/${name}:wait HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n`);
    await eventually("it is held", () => world.engine.waiterCount === 1);
    socket.destroy();
    await eventually("it is gone", () => world.engine.waiterCount === 0);
    world.finish(name);
  });
}

function holdByGrpc(socket: TLSSocket, name: string): void {
  const session = connectHttp2("https://localhost", { createConnection: () => socket });
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": "/google.longrunning.Operations/WaitOperation",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  const message = toBinary(WaitOperationRequestSchema, create(WaitOperationRequestSchema, { name }));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
}
