import assert from "node:assert/strict";
import { test } from "node:test";
import { storedOperation } from "../testing/stored-operation.ts";
import type { Lease, OperationRecord } from "./operation.ts";
import { isNewerHold } from "./session-holds.ts";

const lease: Lease = { session: "s", token: 3, begun: false, guarded: true };

const of = (changes: Partial<OperationRecord>): OperationRecord => storedOperation(changes).record;

/** In the order of commits: each is newer than the one before. */
const life = [
  { what: "reserved", record: of({ leaseToken: 3, revision: 1, lease }) },
  { what: "returned, unseen", record: of({ leaseToken: 3, revision: 1, lease: null }) },
  { what: "granted again", record: of({ leaseToken: 4, revision: 1, lease: { ...lease, token: 4 } }) },
  { what: "begun", record: of({ leaseToken: 4, revision: 2, lease: { ...lease, token: 4, begun: true } }) },
  {
    what: "timed out, and held",
    record: of({ leaseToken: 4, revision: 3, lease: null, held: { ...lease, token: 4 } }),
  },
  { what: "freed, unseen", record: of({ leaseToken: 4, revision: 3, lease: null, held: null }) },
];

test("the later of two sights of a session's hold is told, whichever comes first", () => {
  for (const [index, later] of life.entries()) {
    for (const earlier of life.slice(0, index)) {
      assert.equal(isNewerHold(later.record, earlier.record), true, `${later.what} after ${earlier.what}`);
      assert.equal(isNewerHold(earlier.record, later.record), false, `${earlier.what} before ${later.what}`);
    }
    assert.equal(isNewerHold(later.record, later.record), false, `${later.what} twice`);
  }
});
