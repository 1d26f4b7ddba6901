// What a store answers about the operations of one run, compared with the memory model: rows, answers, events, receipts, slots,
// links and counts.
import assert from "node:assert/strict";
import type { Command } from "../../../src/engine/commands.ts";
import { keyText, slotsOf, slotText } from "../../../src/engine/decision.ts";
import { isDone, type OperationKey, type OperationRecord } from "../../../src/engine/operation.ts";
import type { CommitResult, FeedEntry } from "../../../src/engine/store.ts";
import type { MemoryModel, ModelEvent } from "./memory-model.ts";
import { keyOf, type World } from "./store-harness.ts";

/** For the whole store: other runs' operations are not this run's business. */
const wide: readonly string[] = ["tickDue", "expireSessions", "sweepChildren", "restartWatch"];

/** The outcomes as far as they are one run's own. */
export function comparable(outcomes: CommitResult["outcomes"], commands: readonly Command[]): unknown[] {
  return outcomes.map((outcome, index) =>
    wide.includes(commands[index]?.type ?? "") ? outcome.type : outcome,
  );
}

/** Asserts that a store and the model hold the same of a run: `keys` names the operations that may be there. */
export async function assertSame(
  world: World,
  model: MemoryModel,
  keys: readonly OperationKey[],
): Promise<void> {
  for (const key of keys) await assertSameOperation(world, model, key);
  await assertSameFeed(world, model);
  await assertSameSlots(world, model);
  await assertSameSessions(world, model);
  await assertSameCounts(world, model);
}

async function assertSameOperation({ store }: World, model: MemoryModel, key: OperationKey): Promise<void> {
  const text = keyText(key);
  const record = model.operations.get(text);
  const detail = await store.getOperationDetail(key);
  assert.deepEqual(detail?.record, record);
  assert.deepEqual((await store.getOperation(key))?.record, record);
  if (!detail || !record) return;
  for (const kind of ["request", "response", "metadata", "checkpoint"] as const) {
    assert.deepEqual(detail[kind], model.payloadOf(key, kind), kind);
  }
  assert.deepEqual(detail.attempts, model.attempts.get(text) ?? []);
  const receipt = await store.getReceipt(key);
  assert.deepEqual(receipt?.events ?? [], model.receipts.get(text) ?? []);
  assert.deepEqual(receipt?.cancel ?? null, record.cancel);
  assert.deepEqual(keyOf(receipt ?? key), key);
  const children = (model.children.get(text) ?? []).map((child) => summaryOf(model, child, key));
  assert.deepEqual(await store.listChildren(key, 1000), children);
}

function summaryOf(model: MemoryModel, child: OperationKey, parent: OperationKey): unknown {
  const record = model.operations.get(keyText(child));
  assert(record);
  const link = record.parents.find(({ service, name }) => service === parent.service && name === parent.name);
  assert(link);
  const { service, name, type, state } = record;
  return { service, name, type, state, policy: link.policy, detached: link.detached };
}

async function assertSameFeed({ store, service, tenant }: World, model: MemoryModel): Promise<void> {
  const entries: FeedEntry[] = [];
  let after = 0;
  for (let isAtEnd = false; !isAtEnd; ) {
    const query = { service, tenant, parent: null, filter: "", names: null, after, limit: 7 };
    const page = await store.readFeed(query);
    entries.push(...page.entries);
    assert(page.isAtEnd || page.position > after, "each read goes on");
    ({ position: after, isAtEnd } = page);
  }
  const told = entries.map(({ name, revision, state }) => ({ name, revision, state }));
  for (const batch of model.events) {
    assert.deepEqual(byName(told.splice(0, batch.length)), byName(batch));
  }
  assert.deepEqual(told, []);
  for (const { name, operation } of entries) {
    assert.deepEqual(operation?.record, model.operations.get(keyText({ service, tenant, name })));
  }
}

/** The end of a session ends its operations in an order of the store's own; those of one operation keep theirs. */
function byName(events: readonly ModelEvent[]): ModelEvent[] {
  return events.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function assertSameSlots({ store }: World, model: MemoryModel): Promise<void> {
  for (const record of model.all()) {
    for (const { limit: _, ...slot } of slotsOf(record)) {
      const { used, names } = await store.slotUsers(slot, 1000);
      assert.equal(used, model.slots.get(slotText(slot)) ?? 0, slotText(slot));
      const users = model.all().filter((other) => usesSlot(other, slotText(slot)));
      assert.deepEqual(new Set(names), new Set(users.map(({ name }) => name)));
    }
  }
}

function usesSlot(record: OperationRecord, text: string): boolean {
  return (record.lease ?? record.held) !== null && slotsOf(record).some((slot) => slotText(slot) === text);
}

async function assertSameSessions({ store, session: prefix }: World, model: MemoryModel): Promise<void> {
  const mine = (await store.listSessions()).filter(({ session }) => session.startsWith(`${prefix}-`));
  const expected = [...model.sessions.values()].map((session) => {
    const of = model.heldBy(session.session);
    const running = of.filter(({ lease }) => lease?.begun === true).length;
    const reserved = of.filter(({ lease }) => lease?.begun === false).length;
    return { ...session, running, reserved, held: of.filter(({ held }) => held !== null).length };
  });
  const bySession = (a: { session: string }, b: { session: string }): number =>
    a.session < b.session ? -1 : 1;
  assert.deepEqual([...mine].sort(bySession), expected.sort(bySession));
  for (const { session } of mine) {
    const grants = await store.sessionGrants(session);
    assert.equal(grants.length, model.heldBy(session).length);
    for (const { record, request, checkpoint } of grants) {
      assert.deepEqual(record, model.operations.get(keyText(record)));
      assert.deepEqual(request, model.payloadOf(record, "request"));
      assert.deepEqual(checkpoint, model.payloadOf(record, "checkpoint"));
    }
  }
}

async function assertSameCounts({ store, type, service }: World, model: MemoryModel): Promise<void> {
  const counts = new Map<string, number>();
  for (const { state } of model.all()) if (!isDone(state)) counts.set(state, (counts.get(state) ?? 0) + 1);
  const mine = (await store.liveCounts()).filter((row) => row.type === type && row.service === service);
  assert.deepEqual(new Map(mine.map(({ state, count }) => [state, count])), counts);
}
