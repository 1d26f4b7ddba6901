// The reducer, SQLite and PostgreSQL on the same random commands: some, with every change. three-way.long.test.ts has many.
import { test } from "node:test";
import { exerciseThreeWays } from "./three-way.ts";

test("random commands have the same answers and leave the same rows in memory, SQLite and PostgreSQL", async () => {
  await exerciseThreeWays(40);
});
