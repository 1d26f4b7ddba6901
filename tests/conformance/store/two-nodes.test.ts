// Two nodes on one PostgreSQL database.
import { after, before, describe } from "node:test";
import type { PostgresStore } from "../../../src/stores/postgres/postgres-store.ts";
import { PostgresHarness } from "./postgres-harness.ts";
import { exerciseTwoNodes } from "./two-nodes.ts";

describe("postgres: two nodes", () => {
  let harness: PostgresHarness;
  let other: PostgresStore;
  before(async () => {
    harness = await PostgresHarness.open();
    other = await harness.openNode();
  });
  after(async () => {
    await other?.close();
    await harness?.dispose();
  });
  exerciseTwoNodes(() => ({ harness, other }));
});
