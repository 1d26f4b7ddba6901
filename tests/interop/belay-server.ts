// A real `belay serve` process for the clients under test, and the start of operations, which no Google client has.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../bin/belay.js", import.meta.url));
const operationsFile = fileURLToPath(new URL("./operations.ts", import.meta.url));

export interface BelayServer {
  host: string;
  port: number;
  /** `http://host:port`, without a slash at the end. */
  url: string;
  stop(): Promise<void>;
}

/** How long the server may take to say that it serves. */
const START_MAX_MS = 20_000;

/** Resolves with the address that the server prints; rejects with what it printed if it ends, or says nothing. */
async function addressOf(child: ChildProcess): Promise<{ host: string; port: number }> {
  let output = "";
  const { promise, resolve, reject } = Promise.withResolvers<{ host: string; port: number }>();
  const read = (chunk: Buffer): void => {
    output += chunk.toString("utf8");
    const match = /serving on http:\/\/([\w.]+):(\d+)/.exec(output);
    if (match) resolve({ host: match[1] ?? "", port: Number(match[2]) });
  };
  child.stdout?.on("data", read);
  child.stderr?.on("data", read);
  AbortSignal.timeout(START_MAX_MS).addEventListener("abort", () => {
    reject(new Error(`belay serve does not serve after ${START_MAX_MS} ms:\n${output}`));
  });
  child.once("exit", (code) => reject(new Error(`belay serve ended with ${code}:\n${output}`)));
  return await promise;
}

/** Starts the server on a free port with its data in a new folder. */
export async function startBelay(): Promise<BelayServer> {
  const folder = mkdtempSync(join(tmpdir(), "belay-interop-"));
  // Operations are held on purpose: there must be slots for all of them, and at the end none is worth waiting for.
  const flags = ["--port", "0", "--data", folder, "--operations", operationsFile, "--log-level", "warn"];
  const args = ["serve", ...flags, "--slots", "1000", "--shutdown-grace", "100ms"];
  const child = spawn(process.execPath, [bin, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  const { host, port } = await addressOf(child).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  return { host, port, url: `http://${host}:${port}`, stop };
}

/** What `POST /v1/operations` takes; see belay.v1.StartOperationRequest. */
export interface Start {
  type: string;
  labels?: Record<string, string>;
  parent?: string;
}

/** Starts an operation and answers its name. */
export async function startOperation(server: BelayServer, start: Start): Promise<string> {
  const response = await fetch(`${server.url}/v1/operations`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(start),
  });
  const body = (await response.json()) as { name?: string };
  if (response.status !== 200 || !body.name)
    throw new Error(`start answered ${response.status}: ${JSON.stringify(body)}`);
  return body.name;
}
