// How `belay serve` stops behind a load balancer: not ready first, served on for the delay, then gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/client/client.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { startServer } from "./belay-process.ts";

test("after SIGTERM /readyz says no, and calls on new connections are served until the delay is over", async (t) => {
  const server = await startServer(t, ["--shutdown-delay", "3s"]);
  const probe = async (path: string): Promise<number> =>
    (await fetch(`http://${server.address}${path}`)).status;
  assert.equal(await probe("/readyz"), 200);
  server.child.kill("SIGTERM");
  await eventually("not ready", async () => (await probe("/readyz")) === 503);
  assert.deepEqual([await probe("/healthz"), await probe("/v1/operations")], [200, 200]);
  using client = connect(server.address);
  await assert.rejects(client.get("operations/opr1"), { code: "NOT_FOUND" });
  await server.says("stderr", /stopping; running work has 13.0s to end/);
  assert.equal((await server.end()).code, 0);
  await assert.rejects(probe("/healthz"));
});

test("a second signal ends the delay, too", async (t) => {
  const server = await startServer(t, ["--shutdown-delay", "10m"]);
  server.child.kill("SIGTERM");
  await server.says("stderr", /stopping/);
  const ended = await eventually("it ends", async () => {
    server.child.kill("SIGTERM");
    return server.child.exitCode ?? false;
  });
  assert.equal(ended, 143);
});
