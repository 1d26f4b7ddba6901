import assert from "node:assert/strict";
import test from "node:test";
import { knownMigrations, parseMigration } from "./migration-files.ts";

test("the migrations are numbered from 1 without a gap, and each says whom it works with", () => {
  const migrations = knownMigrations();
  assert.deepEqual(
    migrations.map(({ version }) => version),
    migrations.map((_, index) => index + 1),
  );
});

test("the header is read, and the checksum does not depend on how lines end", () => {
  const unix = parseMigration(
    "0003_more.sql",
    "-- Adds more.\n-- works-with-schema: 2 (see the guide)\nSELECT 1;\n",
  );
  assert.deepEqual([unix.version, unix.worksWith], [3, 2]);
  const other = parseMigration("0003_more.sql", unix.sql.replaceAll("\n", "\r\n"));
  assert.equal(other.checksum, unix.checksum);
});

for (const text of [
  "SELECT 1;",
  "-- works-with-schema: x\n",
  "-- works-with-schema: 4\n",
  "\n\n\n-- works-with-schema: 1\n",
]) {
  test(`a migration 3 of ${JSON.stringify(text)} is refused`, () => {
    assert.throws(() => parseMigration("0003_more.sql", text), /does not say in its first lines/);
  });
}
