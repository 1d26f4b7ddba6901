// The real googleapis package: its Vault client, and a client that it makes at run time of the discovery documents that
// Belay serves (Video Creative Ingest has no published library).
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type BelayServer, serviceOf, startBelay, startOperation } from "./belay-server.ts";
import { clientVersion } from "./client-version.ts";
import {
  type GaxiosError,
  type Google,
  loadGoogle,
  type OperationsResource,
  untilDone,
  type Vault,
} from "./googleapis-client.ts";

const CANCELLED = 1;

let server: BelayServer;
let google: Google;
before(async () => {
  [server, google] = await Promise.all([startBelay({ servicePorts: ["vault", "dai"] }), loadGoogle()]);
});
after(async () => {
  await server.stop();
});

function isError(status: number, code: string, reason: string): (error: GaxiosError) => boolean {
  return (error) => {
    assert.equal(error.status, status);
    const body = error.response?.data.error;
    assert.deepEqual([body?.code, body?.status, body?.details[0]?.reason], [status, code, reason]);
    return true;
  };
}

describe("google.vault", () => {
  let vault: Vault;
  before(() => {
    vault = google.vault({ version: "v1", rootUrl: `${serviceOf(server, "vault").url}/` });
  });

  test("matters.count starts work, operations.cancel stops it", async (t) => {
    t.diagnostic(clientVersion("googleapis"));
    const { data: started } = await vault.matters.count({ matterId: "m1", requestBody: { view: "ALL" } });
    const { name } = started;
    assert.match(name, /^operations\/vlt[a-z0-9]{17}$/);
    assert.ok(!started.done && !started.error && !started.response);
    const pid = await server.heartbeats.working(name);

    const cancelled = await vault.operations.cancel({ name });
    assert.deepEqual([cancelled.status, cancelled.data], [200, {}]);
    const done = await untilDone(vault.operations, name);
    await server.heartbeats.assertStopped(name, pid);
    assert.equal(done.error?.code, CANCELLED);
    assert.equal(done.response, undefined);
    assert.equal(done.metadata, undefined);
  });

  test("a count that ends answers the discovery document's CountArtifactsResponse", async () => {
    const { data } = await vault.matters.count({ matterId: "quick", requestBody: { view: "TOTAL_COUNT" } });
    const { response } = await untilDone(vault.operations, data.name);
    assert.equal(response?.totalCount, "42");
  });

  test("cancel takes a requestBody, may be repeated, and leaves what is done", async () => {
    const { data } = await vault.matters.count({ matterId: "quick", requestBody: {} });
    const done = await untilDone(vault.operations, data.name);
    for (let count = 0; count < 3; count++)
      assert.deepEqual((await vault.operations.cancel({ name: data.name, requestBody: {} })).data, {});
    assert.deepEqual(await untilDone(vault.operations, data.name), done);
  });

  test("get with fields answers those fields alone", async () => {
    const { data } = await vault.matters.count({ matterId: "quick", requestBody: {} });
    await untilDone(vault.operations, data.name);
    const { data: partial } = await vault.operations.get({
      name: data.name,
      fields: "name,done",
      quotaUser: "ada",
    });
    assert.deepEqual(partial, { name: data.name, done: true });
  });

  test("list pages through the operations", async () => {
    const wanted = new Set<string>();
    for (let count = 0; count < 3; count++)
      wanted.add((await vault.matters.count({ matterId: "m2", requestBody: {} })).data.name);
    const names: string[] = [];
    let pageToken: string | undefined;
    do {
      const params = { name: "operations", pageSize: 2, ...(pageToken !== undefined && { pageToken }) };
      const { data } = await vault.operations.list(params);
      names.push(...(data.operations ?? []).map(({ name }) => name));
      pageToken = data.nextPageToken;
    } while (pageToken);
    for (const name of wanted) assert.ok(names.includes(name));
  });

  test("delete hides the operation", async () => {
    const { data } = await vault.matters.count({ matterId: "quick", requestBody: {} });
    await untilDone(vault.operations, data.name);
    assert.deepEqual((await vault.operations.delete({ name: data.name })).data, {});
    const gone = isError(404, "NOT_FOUND", "OPERATION_NOT_FOUND");
    await assert.rejects(vault.operations.get({ name: data.name }), gone);
  });

  test("an unknown name and one with slashes and signs in it are NOT_FOUND or INVALID_ARGUMENT", async () => {
    const gone = isError(404, "NOT_FOUND", "OPERATION_NOT_FOUND");
    await assert.rejects(vault.operations.cancel({ name: "operations/vlt00000000000000000" }), gone);
    const error = (await vault.operations
      .cancel({ name: "operations/a/b/c d%é" })
      .catch((caught: unknown) => caught)) as GaxiosError;
    assert.ok(error.status === 400 || error.status === 404, error.message);
  });
});

describe("google.discoverAPI", () => {
  for (const [id, type] of [
    ["dai", "dai.ingest"],
    ["vault", "vault.count"],
  ] as const) {
    test(`makes a client of the discovery document of ${id} that cancels, gets, lists and deletes`, async (t) => {
      t.diagnostic(`${clientVersion("googleapis")} discoverAPI ${id}`);
      const endpoint = serviceOf(server, id);
      const api = await google.discoverAPI(`${endpoint.url}/$discovery/rest?version=v1`);
      const operations = api["operations"] as OperationsResource;
      const name = await startOperation(endpoint, { type });
      const pid = await server.heartbeats.working(name);
      const running = await operations.get({ name });
      assert.equal(running.data.name, name);
      assert.ok(!running.data.done);

      const cancelled = await operations.cancel({ name });
      assert.deepEqual([cancelled.status, cancelled.data], [200, {}]);
      const done = await untilDone(operations, name);
      await server.heartbeats.assertStopped(name, pid);
      assert.equal(done.error?.code, CANCELLED);

      const { data: page } = await operations.list({ name: "operations" });
      assert.ok(page.operations?.some((operation) => operation.name === name));
      assert.deepEqual((await operations.delete({ name })).data, {});
      await assert.rejects(operations.get({ name }), isError(404, "NOT_FOUND", "OPERATION_NOT_FOUND"));
    });
  }
});
