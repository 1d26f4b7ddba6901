// A server as users start it: time to the first answer, resident memory and CPU when idle.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { delay } from "../../src/base/timers.ts";
import { type Measurement, measured, ROUNDS, type Suite } from "../measurement.ts";

const bin = fileURLToPath(new URL("../../bin/belay.js", import.meta.url));
const IDLE_SECONDS = 10;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    get({ host: "127.0.0.1", port, path: "/v1/operations", agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on("error", () => resolve(false));
  });
}

function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

async function startOnce(folder: string): Promise<{ server: ChildProcess; firstAnswerMs: number }> {
  const port = await freePort();
  const began = performance.now();
  const server = spawn(process.execPath, [bin, "serve", "--port", String(port), "--data", folder], {
    stdio: "ignore",
  });
  while (!(await answers(port))) {
    if (server.exitCode !== null) throw new Error(`belay serve exited with ${server.exitCode}`);
    await delay(3);
  }
  return { server, firstAnswerMs: performance.now() - began };
}

async function stop(server: ChildProcess): Promise<void> {
  const exited = once(server, "exit");
  server.kill("SIGTERM");
  await exited;
}

async function run(): Promise<readonly Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), "belay-bench-"));
  const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  const first: number[] = [];
  const memory: number[] = [];
  const cpu: number[] = [];
  try {
    await stop((await startOnce(folder)).server); // fills the compile cache and makes the database
    for (let round = 0; round < ROUNDS; round++) {
      const { server, firstAnswerMs } = await startOnce(folder);
      const pid = server.pid ?? 0;
      first.push(firstAnswerMs);
      await delay(2000);
      const before = cpuTicks(pid);
      await delay(IDLE_SECONDS * 1000);
      cpu.push(((cpuTicks(pid) - before) / ticksPerSecond / IDLE_SECONDS) * 100);
      memory.push(residentMegabytes(pid));
      await stop(server);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return [
    measured(
      "first-answer",
      "ms",
      first,
      ["<", 500],
      "process start to the first List answered over REST; second start of a folder",
    ),
    measured("idle-memory", "MB", memory, ["<", 130], `resident after ${IDLE_SECONDS + 2} s`),
    measured("idle-cpu", "%", cpu, ["<", 1], `of one core over ${IDLE_SECONDS} s`),
  ];
}

export const startUpSuite: Suite = {
  name: "start-up",
  method: "`node bin/belay.js serve` without examples, compile cache filled by an earlier start.",
  run,
};
