// A Belay server on a store, in a process of its own: for the drivers and workers that reach it over gRPC.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../src/base/logger.ts";
import { Engine } from "../../src/engine/engine.ts";
import { openReceiptKeys } from "../../src/engine/receipts/receipt-keys.ts";
import { createServer } from "../../src/server/server.ts";
import { policyOf } from "../../src/worker/operation-policy.ts";
import { answerParent, tellReady } from "../child.ts";
import { definitionsOf, nobody, openStore } from "./belay.ts";
import { CpuProfiler } from "./cpu-profiler.ts";
import type { PeerQuestion } from "./peer-process.ts";

const logger = createLogger("warn");
const store = await openStore(process.argv[2] ?? "");
const folder = mkdtempSync(join(tmpdir(), "belay-bench-"));
const engine = new Engine({ store, logger, receiptKeys: openReceiptKeys(join(folder, "receipts")) });
// Known before a worker is there: a backlog is started first, and then worked off.
for (const definition of definitionsOf(nobody)) engine.registerType(definition.type, policyOf(definition));
engine.startMaintenance();
const server = createServer({ engine, logger, host: "127.0.0.1", port: 0 });
const { port } = await server.listen();
const profiler = new CpuProfiler();

answerParent<PeerQuestion>(async (question) => {
  if (question.ask === "profile") await profiler.start();
  const paths = question.ask === "profiled" ? await profiler.stop(question.path) : [];
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1000, residentBytes: process.memoryUsage().rss, paths };
});
tellReady({ address: `127.0.0.1:${port}` });
