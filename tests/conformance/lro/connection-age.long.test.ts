// Connections that have grown old: clients open new ones, and lose no call by it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { after, before, describe, test } from "node:test";
import { connect } from "../../../src/client/client.ts";
import { State } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { grpcLroClient } from "./lro-client.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";

const AGE_MS = 3000;

let world: LroWorld;
before(async () => {
  world = await startWorld({ limits: { connectionAgeMaxMs: AGE_MS, connectionAgeGraceMs: 2000 } });
  // gRPC is loaded with its first connection: no connection of the tests should grow old meanwhile.
  await grpcLroClient(world.grpc).get(await world.startDone());
});
after(() => world[Symbol.asyncDispose]());

describe("connections at their age", { concurrency: true }, () => {
  test("grpc: GOAWAY without an error, at its age and not before", async () => {
    const session = connectHttp2(world.url);
    const startMs = performance.now();
    const [code] = await once(session, "goaway");
    const ageMs = performance.now() - startMs;
    assert.equal(code, 0);
    assert.ok(ageMs > AGE_MS * 0.85, `${ageMs} ms`);
    session.close();
  });

  test("grpc: a wait that is held over the age of its connection is answered on it, and calls after it are served", async () => {
    const name = await world.startRunning();
    const client = grpcLroClient(world.grpc);
    const waits = [client.wait(name, AGE_MS + 500), client.wait(name, 30_000)];
    assert.equal((await waits[0])?.done, false);
    for (let call = 0; call < 20; call++) assert.equal((await client.get(name)).done, false);
    world.finish(name);
    // The second one outlives the grace: its connection is cut, and its client comes again.
    const second = await waits[1]?.catch(() => client.wait(name, 10_000));
    assert.equal(second?.done, true);
  });

  test("grpc: a watch is sent elsewhere, and its client goes on from where it was", async () => {
    using client = connect(world.url);
    const name = await world.startRunning();
    const seen: State[] = [];
    const watched = (async () => {
      for await (const event of client.watch({ names: [name] })) {
        if (event.type !== "caughtUp") seen.push(event.event.state);
      }
    })();
    await eventually("the watch is open", () => seen.length > 0);
    const until = performance.now() + 2 * AGE_MS;
    await eventually("its connection is old", () => performance.now() > until);
    world.finish(name);
    await watched;
    assert.equal(seen.at(-1), State.SUCCEEDED);
  });

  test("rest: the reply after the age ends its connection, the ones before do not", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const get = async (): Promise<string | undefined> => {
      const call = request(`${world.url}/v1/operations`, { agent }).end();
      const [response] = await once(call, "response");
      response.resume();
      await once(response, "end");
      return response.headers.connection;
    };
    assert.equal(await get(), "keep-alive");
    await eventually("the connection is old", async () => (await get()) === "close");
    assert.equal(await get(), "keep-alive");
    agent.destroy();
  });
});
