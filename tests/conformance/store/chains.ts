// Receipt chains: every event of a receipt waits until it is sealed, entries only grow, and outlive all else.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChainEntry, UnchainedEvent } from "../../../src/engine/store.ts";
import { DAY, keyOf, policy, type World } from "./store-harness.ts";

export function exerciseChains(world: () => World): void {
  /** All events that wait, of any test. */
  async function waiting(w: World): Promise<readonly UnchainedEvent[]> {
    return w.store.unchainedEvents(10_000);
  }

  async function mine(w: World): Promise<UnchainedEvent[]> {
    return (await waiting(w)).filter(({ tenant }) => tenant === w.tenant);
  }

  function entriesOf(events: readonly UnchainedEvent[], from: number): (ChainEntry & { position: number })[] {
    return events.map(({ service, tenant, name, position, event }, index) => ({
      ...{ service, tenant, name, position, sequence: from + index },
      content: JSON.stringify(event),
      hash: `hash ${from + index}`,
    }));
  }

  test("events wait in commit order, with what a caller said, until they are chained", async () => {
    const w = world();
    const [first, second] = [await w.started(), await w.started()];
    await w.run(w.cancel(second, { onBehalfOf: "user:eve", requestId: "req-9" }));
    await w.run(w.cancel(first));
    const events = await mine(w);
    assert.deepEqual([...new Set(events.map(({ name }) => name))], [second.name, first.name]);
    const positions = events.map(({ position }) => position);
    assert.deepEqual(
      positions,
      [...positions].sort((a, b) => a - b),
    );
    const [requested] = events;
    assert.equal(requested?.type, w.type);
    assert.deepEqual(
      [requested?.event.kind, requested?.event.by, requested?.event.onBehalfOf, requested?.event.requestId],
      ["REQUESTED", "user:bob", "user:eve", "req-9"],
    );
    const receipt = await w.store.getReceipt(keyOf(second));
    assert.deepEqual(
      receipt?.events,
      events.filter(({ name }) => name === second.name).map(({ event }) => event),
    );
    await w.store.appendChain(entriesOf(events.slice(0, 1), 1), []);
    assert.deepEqual(await mine(w), events.slice(1));
    await w.harness.reopen();
    assert.deepEqual(await mine(w), events.slice(1));
    assert.equal((await w.store.unchainedEvents(1)).length, 1);
  });

  test("a chain is read in its order, in parts, with the checkpoints of the part", async () => {
    const w = world();
    const { service, tenant } = w;
    for (let made = 0; made < 3; made++) await w.run(w.cancel(await w.started()));
    const events = await mine(w);
    const entries = entriesOf(events, 1);
    const checkpoint = (sequence: number): Parameters<World["store"]["appendChain"]>[1][number] => ({
      ...{ service, tenant, sequence, hash: `hash ${sequence}`, time: 17, keyId: "k1", signature: "sig" },
    });
    assert.equal(await w.store.chainHead(service, tenant), undefined);
    await w.store.appendChain(entries.slice(0, 2), [checkpoint(2)]);
    await w.store.appendChain(entries.slice(2), [checkpoint(entries.length)]);
    const plain = entries.map(({ position: _, ...entry }) => entry);
    assert.deepEqual(await w.store.chainHead(service, tenant), plain.at(-1));
    assert.deepEqual(await w.store.readChain({ service, tenant, after: 0, limit: 1000 }), {
      entries: plain,
      checkpoints: [checkpoint(2), checkpoint(entries.length)],
    });
    assert.deepEqual(await w.store.readChain({ service, tenant, after: 1, limit: 2 }), {
      entries: plain.slice(1, 3),
      checkpoints: [checkpoint(2)],
    });
    assert.deepEqual(await w.store.readChain({ service, tenant, after: 999, limit: 2 }), {
      entries: [],
      checkpoints: [],
    });
    assert.equal(await w.store.chainHead(service, "nobody"), undefined);
  });

  test("a sequence that is taken or leaves a gap, and an event that is chained, append nothing", async () => {
    const w = world();
    await w.run(w.cancel(await w.started()));
    await w.run(w.cancel(await w.started()));
    const events = await mine(w);
    const { service, tenant } = w;
    const [first, second] = entriesOf(events, 1);
    assert(first && second);
    await w.store.appendChain([first], []);
    const read = { service, tenant, after: 0, limit: 100 };
    const before = await w.store.readChain(read);
    const wrong = [
      [{ ...second, sequence: 1 }],
      [{ ...second, sequence: 3 }],
      [{ ...second, position: first.position }],
      [second, { ...second, sequence: 3 }],
    ];
    for (const entries of wrong) await assert.rejects(w.store.appendChain(entries, []));
    assert.deepEqual(await w.store.readChain(read), before);
    assert.deepEqual((await mine(w))[0], events[1]);
    await w.store.appendChain([second], []);
  });

  test("a receipt stays until all of it is chained; the chain stays for ever", async () => {
    const w = world();
    const record = await w.started({ policy: { ...policy, retentionMs: DAY } });
    await w.run(w.cancel(record));
    w.harness.advance(500 * DAY);
    await w.store.purge(1000);
    assert(await w.store.getReceipt(keyOf(record)), "its events are in no chain");
    const entries = entriesOf(await mine(w), 1);
    await w.store.appendChain(entries, []);
    await w.store.purge(1000);
    assert.equal(await w.store.getReceipt(keyOf(record)), undefined);
    const { service, tenant } = w;
    const chain = await w.store.readChain({ service, tenant, after: 0, limit: 100 });
    assert.equal(chain.entries.length, entries.length);
  });
}
