// Which databases are asked, and waited for: with commits that the test answers one by one.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { RpcError } from "../../base/rpc-error.ts";
import type { Command, CommandOutcome } from "../../engine/commands.ts";
import type { PlacePorts, Store } from "../../engine/store.ts";
import { eventually } from "../../testing/eventually.ts";
import { CommandRouter } from "./command-router.ts";
import { StoreRoutes } from "./store-routes.ts";

interface Sent {
  place: number;
  command: Command;
  answer(outcome: CommandOutcome | Error): void;
}

const session = "ses-1";
const open: Command = {
  ...{ type: "openSession", session, kind: "remote", worker: "w", build: "", principal: "", types: ["t"] },
  ...{ slots: 10, guarded: true, bootId: "", leaseMs: 15_000 },
};
const beat: Command = { type: "heartbeat", session };
const acquire = (limit: number): Command => ({
  ...{ type: "acquire", session, types: ["t"], limit, guarded: true, begin: false },
});
const ok: CommandOutcome = { type: "session" };
const lost = new RpcError("STORAGE_UNAVAILABLE");
const over: CommandOutcome = { type: "refused", reason: "SESSION_UNKNOWN", record: null };

let router: CommandRouter;
let sent: Sent[];
/** Places of which the session has work in hand. */
let held: Set<number>;
let unanswered: number;
/** What a look at each database finds. */
let isThere: boolean[];
let ports: PlacePorts;

beforeEach(async () => {
  sent = [];
  held = new Set();
  unanswered = 0;
  isThere = [true, true];
  const stores = isThere.map(
    (_, place) =>
      ({
        feedPosition: () => (isThere[place] ? Promise.resolve(0) : Promise.reject(lost)),
        listSessions: () => Promise.resolve([]),
        commit: ([command]: readonly [Command]) =>
          new Promise((resolve, reject) => {
            const answer = (outcome: CommandOutcome | Error): void =>
              outcome instanceof Error ? reject(outcome) : resolve({ outcomes: [outcome], changed: [] });
            sent.push({ place, command, answer });
          }),
      }) as unknown as Store,
  );
  const [main, other] = stores as [Store, Store];
  router = new CommandRouter(
    new StoreRoutes(main, [{ store: other, services: new Set(["other"]), tenants: null }]),
  );
  ports = {
    async send(place, command) {
      const { outcomes } = await router.stores[place]!.commit([command]);
      return outcomes[0] as CommandOutcome;
    },
    holds: (_, place) => held.has(place),
    acquireUnanswered: () => unanswered++,
    workMayBeReady: () => undefined,
  };
  const opening = router.submit(open, ports);
  await answer(0, "openSession", ok);
  await opening;
});

afterEach(() => {
  for (const health of router.health) health.close();
});

/** The next command of a type that a database gets. */
async function next(place: number, type: Command["type"]): Promise<Sent> {
  const found = await eventually(`${type} at ${place}`, () =>
    sent.find((each) => each.place === place && each.command.type === type),
  );
  sent.splice(sent.indexOf(found), 1);
  return found;
}

async function answer(place: number, type: Command["type"], outcome: CommandOutcome | Error): Promise<void> {
  (await next(place, type)).answer(outcome);
}

function granted(count: number): CommandOutcome {
  return { type: "granted", grants: Array.from({ length: count }, () => ({}) as never) };
}

function limitOf({ command }: Sent): number {
  return command.type === "acquire" ? command.limit : 0;
}

/** The session is open in both. */
async function openBoth(): Promise<void> {
  const asked = router.submit(acquire(2), ports);
  await answer(1, "openSession", ok);
  for (const place of [0, 1]) await answer(place, "acquire", granted(1));
  await asked;
}

test("each database is asked for a share, and one that fills it for the rest", async () => {
  const asked = router.submit(acquire(5), ports);
  await answer(1, "openSession", ok);
  const [first, second] = [await next(0, "acquire"), await next(1, "acquire")];
  assert.equal(limitOf(first) + limitOf(second), 5);
  first.answer(granted(limitOf(first)));
  second.answer(granted(0));
  const rest = await next(0, "acquire");
  assert.equal(limitOf(rest), limitOf(second));
  rest.answer(granted(1));
  const outcome = await asked;
  assert.equal(outcome.type === "granted" && outcome.grants.length, limitOf(first) + 1);
});

test("a database that does not answer keeps its share of the slots, and holds up nobody", async () => {
  await openBoth();
  const asked = router.submit(acquire(4), ports);
  const silent = await next(1, "acquire");
  await answer(0, "acquire", granted(2));
  const outcome = await asked;
  assert.equal(outcome.type === "granted" && outcome.grants.length, 2);
  const again = router.submit(acquire(3), ports);
  const one = await next(0, "acquire");
  assert.equal(limitOf(one), 1);
  one.answer(granted(0));
  await again;
  silent.answer(lost);
  await eventually("the failure", () => unanswered === 1);
  const last = router.submit(acquire(3), ports);
  const all = await next(0, "acquire");
  assert.equal(limitOf(all), 3);
  all.answer(granted(0));
  await last;
});

test("a heartbeat waits for the databases whose work is in hand, and for no other", async () => {
  await openBoth();
  held.add(0);
  const first = router.submit(beat, ports);
  await answer(0, "heartbeat", ok);
  assert.deepEqual(await first, ok);
  await answer(1, "heartbeat", lost);
  held.add(1);
  const second = router.submit(beat, ports);
  await answer(0, "heartbeat", ok);
  await answer(1, "heartbeat", lost);
  await assert.rejects(second, { reason: "STORAGE_UNAVAILABLE" });
  const third = router.submit(beat, ports);
  await answer(0, "heartbeat", ok);
  await answer(1, "heartbeat", over);
  assert.deepEqual(await third, over);
});

test("a session whose lease has passed where it had nothing is opened there again", async () => {
  await openBoth();
  held.add(0);
  const beaten = router.submit(beat, ports);
  await answer(0, "heartbeat", ok);
  await answer(1, "heartbeat", over);
  assert.deepEqual(await beaten, ok);
  await eventually("the news", () => router.sessions.opening(session, 1));
  const asked = router.submit(acquire(2), ports);
  await answer(1, "openSession", ok);
  for (const place of [0, 1]) await answer(place, "acquire", granted(1));
  assert.equal((await asked).type, "granted");
});

test("a session that is at another node is refused, whatever other databases grant", async () => {
  await openBoth();
  const asked = router.submit(acquire(2), ports);
  const moved = { type: "refused", reason: "SESSION_MOVED", record: null } as const;
  await answer(0, "acquire", granted(0));
  await answer(1, "acquire", moved);
  assert.deepEqual(await asked, moved);
});

test("what is due is settled where a database is there, and in one that is back only after a moment", async () => {
  const tick: Command = { type: "tickDue", limit: 10 };
  isThere[1] = false;
  const failing = router.submit(tick, ports);
  await answer(0, "tickDue", { type: "settled", count: 2 });
  await answer(1, "tickDue", lost);
  assert.deepEqual(await failing, { type: "settled", count: 2 });
  const without = router.submit(tick, ports);
  await answer(0, "tickDue", { type: "settled", count: 1 });
  assert.deepEqual(await without, { type: "settled", count: 1 });
  assert.deepEqual(sent, []);
  isThere[1] = true;
  const [, health] = router.health;
  await eventually("its return", () => health?.isAway === false);
  assert.equal(health?.isUnsettled, true);
  await eventually("the moment", () => health?.isUnsettled === false);
  const both = router.submit(tick, ports);
  for (const place of [0, 1]) await answer(place, "tickDue", { type: "settled", count: 3 });
  assert.deepEqual(await both, { type: "settled", count: 6 });
});
