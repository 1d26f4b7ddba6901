// Lists: keyset pages, newest first, each operation once, never another tenant's (S16).
import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOf, payload, World } from "./store-harness.ts";

export function exerciseLists(world: () => World): void {
  /** Starts operations a microsecond or more apart; answers their names, newest first. */
  async function startMany(w: World, count: number): Promise<string[]> {
    const names: string[] = [];
    for (let made = 0; made < count; made++) {
      w.harness.advance(1);
      names.unshift((await w.started()).name);
    }
    return names;
  }

  test("an empty list is one empty page without a token", async () => {
    const w = world();
    assert.deepEqual(await w.pages(), [{ operations: [], nextPageToken: "" }]);
  });

  for (const pageSize of [1, 3, 4, 7, 12, 13, 1000]) {
    test(`12 operations in pages of ${pageSize} come newest first, each once`, async () => {
      const w = world();
      const names = await startMany(w, 12);
      const pages = await w.pages({ pageSize });
      assert.deepEqual(
        pages.flatMap(({ operations }) => operations.map(({ record }) => record.name)),
        names,
      );
      for (const page of pages.slice(0, -1)) assert.equal(page.operations.length, pageSize);
      assert.equal(pages.length, Math.ceil(12 / pageSize), "the last page has no token");
    });
  }

  test("operations of one instant have an order of their own", async () => {
    const w = world();
    await w.commit(...Array.from({ length: 25 }, () => w.start()));
    const names = await w.names({ pageSize: 4 });
    assert.equal(new Set(names).size, 25);
    assert.deepEqual(names, [...names].sort().reverse());
  });

  test("a page shows operations with response and metadata, as a get does", async () => {
    const w = world();
    const record = await w.done({ metadata: payload("m") });
    const [page] = await w.pages();
    assert.deepEqual(page?.operations, [{ ...(await w.get(record)), labels: {} }]);
    await w.harness.reopen();
    assert.deepEqual((await w.pages())[0]?.operations, page?.operations);
  });

  test("what is there during the whole listing comes exactly once, whatever comes and goes meanwhile", async () => {
    const w = world();
    const names = await startMany(w, 30);
    const stay = new Set(names.filter((_, index) => index % 3 !== 0));
    const leave = names.filter((_, index) => index % 3 === 0);
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await w.store.listOperations(w.query({ pageSize: 4, pageToken }));
      seen.push(...page.operations.map(({ record }) => record.name));
      ({ nextPageToken: pageToken } = page);
      const name = leave.pop();
      if (name) await w.run(w.delete({ service: w.service, tenant: w.tenant, name }));
      w.harness.advance(1);
      await w.started();
    } while (pageToken !== "");
    assert.equal(new Set(seen).size, seen.length, "nothing comes twice");
    assert.deepEqual(
      seen.filter((name) => stay.has(name)),
      names.filter((name) => stay.has(name)),
    );
  });

  test("a list holds its own service, tenant and parent only", async () => {
    const w = world();
    const other = new World(w.harness);
    const top = await w.started();
    const below = await w.started({ parent: "projects/p" });
    await w.started({ parent: "projects/p/locations/l" });
    await other.started();
    const foreign = w.start();
    foreign.key.service = "vault";
    await w.commit(foreign);
    assert.deepEqual(await w.names(), [top.name]);
    assert.deepEqual(await w.names({ parent: "projects/p" }), [below.name]);
    assert.deepEqual(await w.names({ parent: "projects" }), []);
  });

  test("a deleted operation is not listed", async () => {
    const w = world();
    const [newest, oldest] = await startMany(w, 2);
    await w.run(w.delete({ service: w.service, tenant: w.tenant, name: newest! }));
    assert.deepEqual(await w.names(), [oldest]);
    assert.deepEqual(await w.names({ filter: "done=false" }), [oldest]);
  });

  test("oldest first is the same list the other way round, page by page", async () => {
    const w = world();
    const names = await startMany(w, 9);
    assert.deepEqual(await w.names({ orderBy: "create_time", pageSize: 4 }), [...names].reverse());
    assert.deepEqual(await w.names({ orderBy: "create_time desc", pageSize: 4 }), names);
    assert.deepEqual(
      await w.names({ orderBy: "create_time", filter: "done=false", pageSize: 2 }),
      [...names].reverse(),
    );
    const { nextPageToken: pageToken } = await w.store.listOperations(w.query({ pageSize: 1 }));
    await assert.rejects(w.store.listOperations(w.query({ pageToken, orderBy: "create_time" })), {
      reason: "INVALID_PAGE_TOKEN",
    });
  });

  for (const orderBy of ["create_time desc", "create_time"]) {
    test(`deleted operations are listed in their place where they are asked for: ${orderBy}`, async () => {
      const w = world();
      const names = await startMany(w, 12);
      const key = (name: string): { service: string; tenant: string; name: string } => ({
        ...{ service: w.service, tenant: w.tenant, name },
      });
      for (const index of [0, 3, 4, 11]) await w.run(w.delete(key(names[index]!)));
      const ordered = orderBy === "create_time" ? [...names].reverse() : names;
      for (const pageSize of [1, 5, 100]) {
        assert.deepEqual(await w.names({ showDeleted: true, orderBy, pageSize }), ordered);
        assert.deepEqual(
          await w.names({ showDeleted: true, orderBy, pageSize, filter: "done=false" }),
          ordered,
        );
      }
      assert.equal((await w.names({ orderBy })).length, 8);
    });
  }

  test("a listed operation has its labels", async () => {
    const w = world();
    await w.started({ labels: { team: "ads", "a.b": 'x "y"' } });
    const [page] = await w.pages();
    assert.deepEqual(page?.operations[0]?.labels, { team: "ads", "a.b": 'x "y"' });
  });

  test("the page size may change from page to page", async () => {
    const w = world();
    const names = await startMany(w, 10);
    const first = await w.store.listOperations(w.query({ pageSize: 2 }));
    const second = await w.store.listOperations(w.query({ pageSize: 5, pageToken: first.nextPageToken }));
    assert.deepEqual(
      second.operations.map(({ record }) => record.name),
      names.slice(2, 7),
    );
  });

  test("a page token of another request, a changed one and an old one are refused", async () => {
    const w = world();
    await startMany(w, 3);
    const { nextPageToken: pageToken } = await w.store.listOperations(w.query({ pageSize: 1 }));
    const changed = (pageToken[0] === "A" ? "B" : "A") + pageToken.slice(1);
    const requests = [
      { tenant: "x" },
      { service: "x" },
      { parent: "x" },
      { filter: "done=false" },
      { pageToken: changed },
    ];
    for (const other of requests) {
      await assert.rejects(w.store.listOperations(w.query({ pageToken, ...other })), {
        reason: "INVALID_PAGE_TOKEN",
      });
    }
    await w.harness.reopen();
    assert.equal(
      (await w.store.listOperations(w.query({ pageToken }))).operations.length,
      2,
      "it outlives a restart",
    );
    w.harness.advance(3 * 24 * 3600 * 1000 + 1000);
    await assert.rejects(w.store.listOperations(w.query({ pageToken })), { reason: "INVALID_PAGE_TOKEN" });
  });

  test("a page is cut short before 2 MiB, and goes on in the next", async () => {
    const w = world();
    await w.run(w.openSession());
    const names: string[] = [];
    for (let made = 0; made < 9; made++) {
      w.harness.advance(1);
      const grant = await w.running({ metadata: null });
      names.unshift(grant.record.name);
      await w.run(w.complete(grant, { response: payload("x".repeat(300_000)) }));
    }
    const pages = await w.pages();
    assert.deepEqual(
      pages.map(({ operations }) => operations.length),
      [6, 3],
    );
    assert.deepEqual(await w.names(), names);
  });

  test("a filter that matches little answers short pages with tokens, and ends", async () => {
    const w = world();
    const rare = w.start({ operationType: "test.rare" });
    await w.commit(rare);
    for (let made = 0; made < 12_000; made += 500) {
      w.harness.advance(1);
      await w.commit(...Array.from({ length: 500 }, () => w.start({ request: null })));
    }
    const pages = await w.pages({ filter: "type=test.rare" });
    assert.equal(pages.length, 2);
    assert.deepEqual(pages[0]?.operations, []);
    assert.notEqual(pages[0]?.nextPageToken, "");
    assert.deepEqual(
      pages[1]?.operations.map(({ record }) => keyOf(record)),
      [rare.key],
    );
    const [unfinished] = await w.pages({ filter: "done=false AND type=test.rare", pageSize: 10 });
    assert(unfinished);
  });
}
