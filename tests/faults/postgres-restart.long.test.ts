// A Belay server whose database restarts under load: asked to, at once, and killed. postgres-failover.long.test.ts has standbys.
import assert from "node:assert/strict";
import { test } from "node:test";
import { delay } from "../../src/base/timers.ts";
import { startPostgres } from "../postgres/postgres-server.ts";
import { serveThroughFaults } from "./postgres-rounds.ts";

test("restarts of the database under load (fast, immediate, kill -9) lose nothing and end nothing twice", async (context) => {
  await using database = await startPostgres();
  const name = await database.createDatabase();
  const result = await serveThroughFaults({
    url: database.url(name),
    audit: () => ({ databases: database, database: name }),
    faults: async () => {
      for (const mode of ["fast", "immediate", "kill"] as const) {
        await delay(500);
        await database.restart(mode);
      }
    },
  });
  context.diagnostic(JSON.stringify(result));
  assert(result.starts > 0 && result.cancels > 0);
});
