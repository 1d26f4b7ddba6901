// The reducer, SQLite and PostgreSQL on the same random commands: thousands of sequences.
import { test } from "node:test";
import { exerciseThreeWays } from "./three-way.ts";

test("thousands of random sequences have the same answers and rows in memory, SQLite and PostgreSQL", async () => {
  await exerciseThreeWays(3000);
});
