// The store suite on PostgreSQL. Its differential test is three-way.test.ts.
import { exerciseStore } from "./exercise-store.ts";
import { PostgresHarness } from "./postgres-harness.ts";

exerciseStore("postgres", () => PostgresHarness.open(), ["differential"]);
