// Watches across the death of the server: a real `belay serve` is killed, changes happen while nobody watches, and whoever comes
// back with its token, or its Last-Event-ID, has missed nothing.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort, ServerProcess } from "../../faults/server-process.ts";
import { openWatch } from "../wire/watch-client.ts";
import { WireClient } from "../wire/wire-client.ts";
import { callNative, must, transports } from "./native-calls.ts";

const operations = new URL("../requirements/operations.ts", import.meta.url);

test("after a restart a watch goes on where its reader was, on both transports", async (t) => {
  const data = mkdtempSync(join(tmpdir(), "belay-watch-"));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const port = await freePort();
  const client = new WireClient({ url: `http://127.0.0.1:${port}`, authority: null });
  t.after(() => client.close());
  const parent = "projects/restart";
  const start = async (type: string): Promise<string> =>
    String(must(await callNative(client, "rest", "startOperation", { type, parent }))["name"]);
  const serve = (): Promise<ServerProcess> => ServerProcess.start({ port, data, operations });

  const first = await serve();
  const watches = await Promise.all(transports.map((each) => openWatch(client, each, { parent }).begun()));
  const before = await start("suite.echo");
  const running = await start("suite.hold");
  for (const each of watches) {
    await each.tells(before, "SUCCEEDED");
    await each.tells(running, "RUNNING");
  }
  const gap = watches.map(({ token }) => token);
  first.kill("SIGKILL");
  for (const each of watches) await each.ended;
  await first.exited();

  await using _second = await serve();
  // Nobody watches now.
  const unseen = await start("suite.echo");
  must(await callNative(client, "rest", "cancelOperation", { name: running, wait: "20s" }));
  const { state, etag } = must(await callNative(client, "rest", "getOperation", { name: running }));
  must(await callNative(client, "rest", "waitOperation", { name: unseen }));
  const last = await start("suite.hold");
  for (const [index, transport] of transports.entries()) {
    const seen = watches[index]?.told ?? [];
    const again = openWatch(client, transport, { parent, resumeToken: gap[index] ?? "" });
    await again.tells(last, "RUNNING");
    const revisions = new Map<string, number[]>();
    for (const one of [...seen, ...again.told]) {
      const [name = "", revision = ""] = one.split(" ");
      revisions.set(name, [...(revisions.get(name) ?? []), Number(revision.slice(1, -1))]);
    }
    assert.deepEqual([...revisions.keys()].sort(), [before, running, unseen, last].sort());
    for (const [name, list] of revisions) {
      assert.deepEqual(
        list,
        list.map((_, place) => place + 1),
        `${transport}: each change of ${name}, once`,
      );
    }
    assert.ok(again.told.includes(`${running} ${etag} ${state}`), "the end of what ran when the server died");
    again.close();
  }
});
