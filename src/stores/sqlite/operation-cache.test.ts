// The point-read cache: bounded, and never older than what was seen (S14).
import assert from "node:assert/strict";
import test from "node:test";
import type { OperationRecord, StoredOperation } from "../../engine/operation.ts";
import { OperationCache } from "./operation-cache.ts";

function operation(name: string, revision: number): StoredOperation {
  const record = { service: "s", tenant: "t", name, revision } as OperationRecord;
  return { record, response: null, metadata: null };
}

const key = { service: "s", tenant: "t", name: "a" };

test("a commit's state is at hand", () => {
  const cache = new OperationCache(100_000);
  const stored = operation("a", 1);
  cache.committed(stored, 100);
  assert.equal(cache.get(key), stored);
  assert.equal(cache.get({ ...key, tenant: "u" }), undefined);
});

test("the operations used last stay when room runs out", () => {
  const cache = new OperationCache(8 * 1600);
  for (const name of ["a", "b", "c", "d", "e"]) cache.committed(operation(name, 1), 100);
  assert(cache.get(key));
  for (const name of ["f", "g", "h"]) cache.committed(operation(name, 1), 100);
  assert(cache.get(key), "a was used");
  assert.equal(cache.get({ ...key, name: "b" }), undefined, "b was used longest ago");
  assert(cache.bytes <= 8 * 1600);
});

test("a new state takes the place of the old one, in its room", () => {
  const cache = new OperationCache(8 * 1600);
  for (const name of ["a", "b", "c"]) cache.committed(operation(name, 1), 100);
  cache.committed(operation("a", 2), 200);
  assert.equal(cache.get(key)?.record.revision, 2);
  assert.equal(cache.bytes, 3 * 1600 + 100);
  for (const name of ["d", "e"]) cache.committed(operation(name, 1), 100);
  const last = operation("a", 3);
  cache.committed(last, 100);
  assert.equal(cache.get(key), last, "a is in the older half no more");
  assert.equal(cache.bytes, 5 * 1600);
});

test("an operation larger than the cache is not kept, and drops its older state", () => {
  const cache = new OperationCache(10_000);
  cache.committed(operation("a", 1), 100);
  cache.committed(operation("a", 2), 50_000);
  assert.equal(cache.get(key), undefined);
  assert.equal(cache.bytes, 0);
});

test("a read that a commit overtook is not kept", () => {
  const cache = new OperationCache(100_000);
  const read = cache.beginRead(key);
  cache.committed(operation("a", 4), 100);
  cache.removed(key); // as if dropped for room
  assert.equal(cache.endRead(read, operation("a", 3), 100)?.record.revision, 3);
  assert.equal(cache.get(key), undefined);
});

test("a read that a commit overtook answers the commit's state", () => {
  const cache = new OperationCache(100_000);
  const read = cache.beginRead(key);
  cache.committed(operation("a", 4), 100);
  assert.equal(cache.endRead(read, operation("a", 3), 100)?.record.revision, 4);
});

test("a read of what was purged meanwhile is not kept", () => {
  const cache = new OperationCache(100_000);
  const read = cache.beginRead(key);
  cache.removed(key);
  cache.endRead(read, operation("a", 3), 100);
  assert.equal(cache.get(key), undefined);
});

test("a read that was under way when the outcome of a commit became unknown is not kept", () => {
  const cache = new OperationCache(100_000);
  cache.committed(operation("a", 3), 100);
  const read = cache.beginRead(key);
  cache.clear();
  cache.endRead(read, operation("a", 3), 100);
  assert.equal(cache.get(key), undefined);
  assert.equal(cache.bytes, 0);
});

test("an undisturbed read is kept", () => {
  const cache = new OperationCache(100_000);
  const stored = operation("a", 3);
  cache.endRead(cache.beginRead(key), stored, 100);
  assert.equal(cache.get(key), stored);
  cache.endRead(cache.beginRead({ ...key, name: "absent" }), undefined, 0);
  assert.equal(cache.get({ ...key, name: "absent" }), undefined);
});

test("the reply of an older commit does not undo what a reader saw of a later one", () => {
  const cache = new OperationCache(100_000);
  cache.seen(operation("a", 5), 100, true);
  cache.committed(operation("a", 4), 100);
  assert.equal(cache.get(key)?.record.revision, 5);
});

test("a change that shows no new revision replaces the state", () => {
  const cache = new OperationCache(100_000);
  const leased = operation("a", 1);
  cache.committed(operation("a", 1), 100);
  cache.committed(leased, 100);
  assert.equal(cache.get(key), leased);
});

test("a page that was read before a commit answers the commit's state", () => {
  const cache = new OperationCache(100_000);
  cache.committed(operation("a", 6), 100);
  assert.equal(cache.seen(operation("a", 5), 100, true).record.revision, 6);
});

test("a page only replaces what is older, unless it must be kept", () => {
  const cache = new OperationCache(100_000);
  cache.seen(operation("a", 5), 100, false);
  assert.equal(cache.get(key), undefined);
  cache.committed(operation("a", 5), 100);
  cache.seen(operation("a", 6), 100, false);
  assert.equal(cache.get(key)?.record.revision, 6);
});
