// Commits one operation after the other and says which were acknowledged, until a sync fails. Run by
// failing-fsync.long.test.ts. Arguments: the folder, the number of commits.
import { SqliteStore } from "../../src/stores/sqlite/sqlite-store.ts";
import { keyOf, say, startOf } from "./stored-operation.ts";

/** 50 commits write the log back once. */
const REQUEST_BYTES = 100_000;

const [folder = "", commits = "0"] = process.argv.slice(2);

const store = await SqliteStore.open(folder, {
  onFatal: (line) => {
    say(`fatal ${line}`);
    // What a server does, and a moment later: nothing may be acknowledged in between.
    setImmediate(() => process.exit(5));
  },
});
say("open");
for (let number = 0; number < Number(commits); number++) {
  try {
    await store.commit([startOf(number, REQUEST_BYTES)]);
    say(`acknowledged ${keyOf(number).name}`);
  } catch (error) {
    say(`refused ${error instanceof Error && "reason" in error ? error.reason : error}`);
  }
}
await store.close();
say("closed");
