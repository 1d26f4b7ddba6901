// ListOperations by AIP-132, 158 and 160, on both transports. The grammar of filters is tested with the store.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type CallFailure,
  grpcLroClient,
  type ListQuery,
  type LroClient,
  restLroClient,
} from "./lro-client.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";

let world: LroWorld;
let clients: LroClient[];
const names: string[] = [];
const inParent: string[] = [];

before(async () => {
  world = await startWorld();
  clients = [grpcLroClient(world.grpc), restLroClient(world.url)];
  for (let index = 0; index < 60; index++) names.push(await world.start("test.parked"));
  for (let index = 0; index < 5; index++) inParent.push(await world.start("test.parked", {}, "projects/p"));
});
after(() => world[Symbol.asyncDispose]());

function sentence(claim: string, check: (client: LroClient) => Promise<void>): void {
  for (const [index, transport] of ["grpc", "rest"].entries())
    test(`${transport}: ${claim}`, () => check(clients[index]!));
}

async function listAll(client: LroClient, query: ListQuery): Promise<string[]> {
  const all: string[] = [];
  let pageToken = "";
  do {
    const page = await client.list({ ...query, pageToken });
    all.push(...page.names);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return all;
}

sentence("page_size is optional: 50 by default, and 0 means the same", async (client) => {
  assert.equal((await client.list()).names.length, 50);
  assert.equal((await client.list({ pageSize: 0 })).names.length, 50);
});

sentence("a page_size over the maximum is coerced", async (client) => {
  const { names: page, nextPageToken } = await client.list({ pageSize: 2_000_000_000 });
  assert.deepEqual([page.length, nextPageToken], [60, ""]);
});

sentence("a negative page_size is INVALID_ARGUMENT", async (client) => {
  await assert.rejects(client.list({ pageSize: -1 }), (error: CallFailure) => error.code === 3);
});

sentence("every operation comes exactly once, and an empty token is the end", async (client) => {
  const all = await listAll(client, { pageSize: 7 });
  assert.deepEqual([...all].sort(), [...names].sort());
});

sentence("page_size may change between pages", async (client) => {
  const first = await client.list({ pageSize: 10 });
  const second = await client.list({ pageSize: 1000, pageToken: first.nextPageToken });
  assert.deepEqual([...first.names, ...second.names].sort(), [...names].sort());
});

sentence("a token of another request is INVALID_ARGUMENT", async (client) => {
  const { nextPageToken: pageToken } = await client.list({ pageSize: 1 });
  for (const query of [{ filter: "done = true" }, { name: "projects/p" }]) {
    await assert.rejects(
      client.list({ ...query, pageToken }),
      (error: CallFailure) => error.reason === "INVALID_PAGE_TOKEN",
    );
  }
});

sentence("a token that was changed is INVALID_ARGUMENT", async (client) => {
  const { nextPageToken } = await client.list({ pageSize: 1 });
  const last = nextPageToken.at(-5) === "A" ? "B" : "A";
  const pageToken = nextPageToken.slice(0, -5) + last + nextPageToken.slice(-4);
  await assert.rejects(
    client.list({ pageToken }),
    (error: CallFailure) => error.reason === "INVALID_PAGE_TOKEN",
  );
});

sentence("a token is opaque and fits into a URL as it is", async (client) => {
  const { nextPageToken } = await client.list({ pageSize: 1 });
  assert.match(nextPageToken, /^[A-Za-z0-9_-]+$/);
});

sentence("a parent lists its own operations only", async (client) => {
  assert.deepEqual((await listAll(client, { name: "projects/p", pageSize: 2 })).sort(), [...inParent].sort());
  assert.deepEqual(await listAll(client, { name: "projects/none" }), []);
});

sentence("an empty page is an empty answer", async (client) => {
  assert.deepEqual(await client.list({ filter: "done = true" }), { names: [], nextPageToken: "" });
});

sentence("a filter is AIP-160", async (client) => {
  assert.equal((await listAll(client, { filter: `state = PENDING AND NOT done = true` })).length, 60);
  assert.deepEqual(await listAll(client, { filter: `name = "${names[3]}"` }), [names[3]]);
});

for (const filter of ["nonsense = 1", "done = maybe", "done =", 'name = "x', "(((done)"]) {
  sentence(`the filter ${filter} is INVALID_ARGUMENT`, async (client) => {
    await assert.rejects(client.list({ filter }), (error: CallFailure) => error.reason === "INVALID_FILTER");
  });
}

test("grpc: the root may be named in three ways", async () => {
  for (const name of ["", "operations"])
    assert.equal((await clients[0]!.list({ name, pageSize: 1000 })).names.length, 60);
  assert.equal((await clients[0]!.list({ name: "projects/p/operations" })).names.length, 5);
});
