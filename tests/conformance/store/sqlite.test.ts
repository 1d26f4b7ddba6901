// The store suite on SQLite.
import { exerciseStore } from "./exercise-store.ts";
import { SqliteHarness } from "./sqlite-harness.ts";

exerciseStore("sqlite", () => new SqliteHarness().open());
