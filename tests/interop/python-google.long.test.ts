// Google's Python clients, from PyPI: google-api-core over gRPC and REST with its operation future, and
// google-api-python-client made of the discovery documents of `vault` and `dai`.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type BelayServer, serviceOf, startBelay, startOperation } from "./belay-server.ts";
import { makePythonEnvironment, runPython } from "./python/python-clients.ts";

const CANCELLED = 1;
const NOT_FOUND_HTTP = 404;
const CANCELLED_HTTP = 499;

let python: string;
let server: BelayServer;
before(async () => {
  python = makePythonEnvironment();
  server = await startBelay({ servicePorts: ["vault", "dai"] });
});
after(async () => {
  await server.stop();
});

interface Seen {
  name: string;
  done?: boolean;
  error?: { code: number };
  response?: object;
}

interface Refusal {
  type?: string;
  code: number;
  status?: string;
  reason: string;
}

interface FutureReport extends Record<string, unknown> {
  version: string;
  running: Seen;
  done: Seen;
  "after a late cancel": Seen;
  result: Refusal;
  deleted: Refusal;
  unknown: Refusal;
}

interface DiscoveryReport extends Record<string, unknown> {
  version: string;
  running: Seen;
  done: Seen;
  deleted: Refusal;
  unknown: Refusal;
  count?: { totalCount: string };
}

for (const transport of ["grpc", "rest"] as const) {
  test(`google-api-core over ${transport}: the future cancels, and its result is Cancelled`, async (t) => {
    const [held, nap] = await Promise.all([
      startOperation(server, { type: "interop.work" }),
      startOperation(server, { type: "interop.nap" }),
    ]);
    const pid = await server.heartbeats.working(held);
    const script = runPython(python, "operations_client.py", [
      transport,
      `127.0.0.1:${server.port}`,
      held,
      nap,
    ]);
    const report = await script.next<FutureReport>();
    await script.ended();
    await server.heartbeats.assertStopped(held, pid);
    t.diagnostic(`google-api-core ${report.version}, ${transport}`);
    assert.ok(!report.running.done && !report.running.error && !report.running.response);
    assert.deepEqual(
      [report["done before"], report["cancelled before"], report["cancel"], report["cancelled"]],
      [false, false, true, true],
    );
    // A future that is done says so without a call.
    assert.equal(report["cancel again"], false);
    assert.deepEqual([report.result.type, report.result.code], ["Cancelled", CANCELLED_HTTP]);
    assert.equal(report.done.error?.code, CANCELLED);
    assert.deepEqual(report["after a late cancel"], report.done);
    assert.equal(report["listed"], true);
    for (const refusal of [report.deleted, report.unknown])
      assert.deepEqual(refusal, { type: "NotFound", code: NOT_FOUND_HTTP, reason: "OPERATION_NOT_FOUND" });
    assert.deepEqual([report["success"], report["success cancelled"]], [{}, false]);
  });
}

describe("google-api-python-client", () => {
  for (const [api, type] of [
    ["vault", "vault.count"],
    ["dai", "dai.ingest"],
  ] as const) {
    test(`made of the discovery document of ${api} cancels, gets, lists and deletes`, async (t) => {
      const endpoint = serviceOf(server, api);
      const name = await startOperation(endpoint, { type });
      const pid = await server.heartbeats.working(name);
      const script = runPython(python, "discovery_client.py", [endpoint.url, api, name]);
      const report = await script.next<DiscoveryReport>();
      await script.ended();
      await server.heartbeats.assertStopped(name, pid);
      t.diagnostic(`google-api-python-client ${report.version}, ${api}`);
      assert.ok(!report.running.done);
      for (const empty of ["cancel", "cancel with a body", "delete"])
        assert.deepEqual(report[empty], {}, empty);
      assert.equal(report.done.error?.code, CANCELLED);
      assert.equal(report["listed"], true);
      for (const refusal of [report.deleted, report.unknown])
        assert.deepEqual(refusal, {
          code: NOT_FOUND_HTTP,
          status: "NOT_FOUND",
          reason: "OPERATION_NOT_FOUND",
        });
      if (api === "vault") assert.equal(report.count?.totalCount, "42");
    });
  }
});
