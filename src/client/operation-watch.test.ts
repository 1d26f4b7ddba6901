// A watch against a scripted server: what it asks for when the connection breaks, and how it ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { Operations, State, StateSchema } from "../protocol/gen/belay/v1/operations_pb.ts";
import type { WatchEvent } from "./client.ts";
import { clientOf, Peer, refusal } from "./scripted-peer.fixture.ts";

type Request = MessageShape<typeof Operations.method.watchOperations.input>;

const { watchOperations } = Operations.method;
const A = "operations/a";
const B = "operations/b";

const told = (name: string, state: State, resumeToken: string) => ({ event: { name, state }, resumeToken });

async function take(events: AsyncIterable<WatchEvent>): Promise<string[]> {
  const texts: string[] = [];
  for await (const each of events) {
    const about =
      each.type === "caughtUp" ? "" : ` ${each.event.name} ${StateSchema.value[each.event.state]!.name}`;
    texts.push(`${each.type}${about} ${each.resumeToken}`);
  }
  return texts;
}

test("a watch of names tells their states, then their changes, and ends when all are done", async (t) => {
  const requests: Request[] = [];
  const peer = await new Peer()
    .onStream(watchOperations, async (request, send) => {
      requests.push(request);
      send(told(A, State.RUNNING, "1"));
      send(told(B, State.SUCCEEDED, "1"));
      send({ initialEnd: true, resumeToken: "1" });
      send(told(A, State.CANCELLING, "2"));
      send(told(A, State.CANCELLED, "3"));
      await new Promise(() => undefined);
    })
    .listen(t);
  const watch = clientOf(t, peer).watch({ names: [A, B] });
  assert.deepEqual(await take(watch), [
    `present ${A} RUNNING 1`,
    `present ${B} SUCCEEDED 1`,
    "caughtUp 1",
    `change ${A} CANCELLING 2`,
    `change ${A} CANCELLED 3`,
  ]);
  assert.deepEqual([requests[0]!.names, requests[0]!.initial], [[A, B], true]);
});

test("after a broken connection it goes on from the last event that was taken", async (t) => {
  const tokens: string[] = [];
  const peer = await new Peer()
    .onStream(watchOperations, async ({ resumeToken, initial }, send) => {
      tokens.push(`${resumeToken}${initial ? " initial" : ""}`);
      if (tokens.length === 1) {
        send(told(A, State.RUNNING, "1"));
        send({ initialEnd: true, resumeToken: "1" });
        send(told(A, State.RUNNING, "2"));
        send({ resumeToken: "7" });
        // The last message is on its way when the stream ends.
        throw refusal(status.UNAVAILABLE, "", {});
      }
      if (tokens.length === 2) return;
      send(told(A, State.SUCCEEDED, "9"));
    })
    .listen(t);
  const texts = await take(clientOf(t, peer).operation(A).watch());
  assert.deepEqual(texts, [
    `present ${A} RUNNING 1`,
    "caughtUp 1",
    `change ${A} RUNNING 2`,
    `change ${A} SUCCEEDED 9`,
  ]);
  assert.deepEqual(tokens, [" initial", "7", "7"]);
});

test("a connection that breaks before all present states were told begins with them again", async (t) => {
  const tokens: string[] = [];
  const peer = await new Peer()
    .onStream(watchOperations, async ({ resumeToken, initial }, send) => {
      tokens.push(`${resumeToken}${initial ? " initial" : ""}`);
      send(told(A, State.RUNNING, "1"));
      if (tokens.length === 1) throw refusal(status.UNAVAILABLE, "", {});
      send(told(B, State.SUCCEEDED, "1"));
      send({ initialEnd: true, resumeToken: "1" });
      send(told(A, State.FAILED, "2"));
    })
    .listen(t);
  const texts = await take(clientOf(t, peer).watch({ names: [A, B] }));
  assert.deepEqual(tokens, [" initial", " initial"]);
  assert.equal(texts.at(-1), `change ${A} FAILED 2`);
});

test("a name that nothing is told of is not found", async (t) => {
  const peer = await new Peer()
    .onStream(watchOperations, async (_, send) => {
      send(told(A, State.RUNNING, "1"));
      send({ initialEnd: true, resumeToken: "1" });
      await new Promise(() => undefined);
    })
    .listen(t);
  await assert.rejects(take(clientOf(t, peer).watch({ names: [A, B] })), {
    reason: "OPERATION_NOT_FOUND",
    message: `operation ${B} is not found`,
  });
});

test("an expired resume token is told, not hidden", async (t) => {
  const peer = await new Peer()
    .onStream(watchOperations, async ({ initial }) => {
      assert.equal(initial, false);
      throw refusal(status.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED", {});
    })
    .listen(t);
  const watch = clientOf(t, peer).watch({ resumeToken: "old" });
  await assert.rejects(take(watch), { code: "OUT_OF_RANGE", reason: "RESUME_TOKEN_EXPIRED" });
});

test("a watch gives up when the server stays away, and says where another one goes on", async (t) => {
  const peer = await new Peer()
    .onStream(watchOperations, async (_, send) => {
      send({ ...told(A, State.RUNNING, "5"), initialEnd: true });
      await new Promise(() => undefined);
    })
    .listen(t);
  const watch = clientOf(t, peer).watch({ filter: "done = false", awayMaxMs: 0 });
  await assert.rejects(
    async () => {
      for await (const each of watch) if (each.type === "caughtUp") peer.close();
    },
    { code: "UNAVAILABLE" },
  );
  assert.equal(watch.resumeToken, "5");
});

test("an abort ends a watch with the signal's reason", async (t) => {
  const peer = await new Peer()
    .onStream(watchOperations, async (_, send) => {
      send({ ...told(A, State.RUNNING, "5"), initialEnd: true });
      await new Promise(() => undefined);
    })
    .listen(t);
  const controller = new AbortController();
  const reason = new Error("enough");
  const watch = clientOf(t, peer).watch({ signal: controller.signal });
  await assert.rejects(
    async () => {
      for await (const _ of watch) controller.abort(reason);
    },
    (error) => error === reason,
  );
});
