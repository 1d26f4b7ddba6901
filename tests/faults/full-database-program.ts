// Fills the file system of a database, and frees it again. Run by postgres-disk-full.long.test.ts in a mount namespace of its own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RpcError } from "../../src/base/rpc-error.ts";
import { PostgresStore } from "../../src/stores/postgres/postgres-store.ts";
import { keyOf, payload } from "../conformance/store/store-harness.ts";
import { guardedFolder } from "../postgres/guarded-folder.ts";
import { findOwner } from "../postgres/postgres-binaries.ts";
import { startPostgres } from "../postgres/postgres-server.ts";
import { assertFeedIsWhole, PostgresLoad } from "./postgres-load.ts";

const disk = join(guardedFolder(), "small-disk");
mkdirSync(disk);
execFileSync("mount", ["-t", "tmpfs", "-o", "size=40m", "tmpfs", disk]);
const ballast = join(disk, "ballast");
execFileSync("dd", ["if=/dev/zero", `of=${ballast}`, "bs=1M", "count=8", "status=none"]);
const space = join(disk, "space");
mkdirSync(space);
const { uid, gid } = findOwner();
if (uid !== undefined) chownSync(space, uid, gid);

const server = await startPostgres();
try {
  await server.query(`CREATE TABLESPACE small LOCATION '${space}'`);
  await server.query("CREATE DATABASE small TABLESPACE small TEMPLATE template0");
  const store = await PostgresStore.open(server.url("small"));
  const load = new PostgresLoad(store);
  const { world } = load;
  // What the database could compress would not fill it.
  const big = (): ReturnType<typeof world.start> =>
    world.start({ request: payload(randomBytes(225_000).toString("base64")) });
  const kept: ReturnType<typeof world.start>[] = [];
  let full: unknown = null;
  for (let tries = 0; full === null && tries < 2000; tries++) {
    const start = big();
    try {
      const { outcomes } = await store.commit([start]);
      if (outcomes[0]?.type === "failed") {
        assert.equal(outcomes[0].reason, "STORAGE_FULL", outcomes[0].message);
        full = outcomes[0];
      } else kept.push(start);
    } catch (error) {
      assert(error instanceof RpcError && error.reason === "STORAGE_FULL", String(error));
      full = error;
    }
  }
  assert(full !== null && kept.length > 0, "the disk is full");
  for (const { key } of kept) assert(await store.getOperation(key), "what was acknowledged is read");
  await assert.rejects(store.commit([big()]), (error: RpcError) => error.reason === "STORAGE_FULL");
  rmSync(ballast);
  const record = await world.started();
  assert(await store.getOperation(keyOf(record)));
  await store.close();
  await assertFeedIsWhole(server, "small");
  console.log(`${kept.length} operations of 300 kB, then full, then freed`);
  console.log("whole");
} finally {
  await server.stop("immediate");
  execFileSync("umount", ["-l", disk]);
}
