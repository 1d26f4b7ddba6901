// A real `belay serve` process for the clients under test, and the start of operations, which most clients have no call for.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HEARTBEAT_FOLDER, Heartbeats } from "./heartbeat.ts";

export const belayBin: string = fileURLToPath(new URL("../../bin/belay.js", import.meta.url));
const operationsFile = fileURLToPath(new URL("./operations.ts", import.meta.url));

/** Where one service listens. */
export interface Endpoint {
  host: string;
  port: number;
  /** `http://host:port`, without a slash at the end. */
  url: string;
}

export interface BelayServer extends Endpoint {
  /** The ports that services have for themselves, by service id. */
  services: Record<string, Endpoint>;
  /** The work, as it is seen from outside. */
  heartbeats: Heartbeats;
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Services that get a port for themselves. */
  servicePorts?: readonly string[];
  /** What belay.yaml says. */
  config?: object;
}

// A proxy of the environment is not for this machine.
process.env["no_proxy"] = "localhost,127.0.0.1";

/** How long the server may take to say that it serves. */
const START_MAX_MS = 20_000;

function endpoint(host: string, port: number): Endpoint {
  return { host, port, url: `http://${host}:${port}` };
}

interface Addresses {
  main: Endpoint;
  services: Record<string, Endpoint>;
}

/** The addresses that the server prints, once all of them are there; rejects with what it printed if it ends, or says nothing. */
async function addressesOf(child: ChildProcess, servicePorts: readonly string[]): Promise<Addresses> {
  let output = "";
  const { promise, resolve, reject } = Promise.withResolvers<Addresses>();
  const read = (chunk: Buffer): void => {
    output += chunk.toString("utf8");
    const main = /serving on https?:\/\/([\w.]+):(\d+)/.exec(output);
    const own = [...output.matchAll(/service (\S+) alone on (?:https?:\/\/)?([\w.]+):(\d+)/g)];
    if (!main || own.length < servicePorts.length) return;
    const services = own.map(([, id = "", host = "", port]) => [id, endpoint(host, Number(port))] as const);
    resolve({ main: endpoint(main[1] ?? "", Number(main[2])), services: Object.fromEntries(services) });
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
export async function startBelay({ servicePorts = [], config }: ServerOptions = {}): Promise<BelayServer> {
  const data = mkdtempSync(join(tmpdir(), "belay-interop-"));
  const heartbeats = new Heartbeats();
  // Operations are held on purpose: there must be slots for all of them, and at the end none is worth waiting for.
  const own = ["--port", "0", "--data", data, "--operations", operationsFile, "--log-level", "warn"];
  const ports = servicePorts.flatMap((id) => ["--service-port", `${id}=0`]);
  const args = ["serve", ...own, ...ports, "--slots", "1000", "--shutdown-grace", "100ms"];
  if (config !== undefined) {
    const file = join(heartbeats.folder, "belay.yaml");
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config));
    args.push("--config", file);
  }
  const env = { ...process.env, [HEARTBEAT_FOLDER]: heartbeats.folder };
  const child = spawn(process.execPath, [belayBin, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  const { main, services } = await addressesOf(child, servicePorts).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exited;
    rmSync(data, { recursive: true, force: true });
    heartbeats.remove();
  };
  return { ...main, services, heartbeats, stop };
}

/** What `POST /v1/operations` takes; see belay.v1.StartOperationRequest. */
export interface Start {
  type: string;
  labels?: Record<string, string>;
  payload?: object;
  parent?: string;
}

/** Starts an operation by its type and answers its name. On a service's own port it is that service's operation. */
export async function startOperation(server: Endpoint, start: Start): Promise<string> {
  const response = await fetch(`${server.url}/belay/v1/operations`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(start),
  });
  const body = (await response.json()) as { name?: string };
  if (response.status !== 200 || !body.name)
    throw new Error(`start answered ${response.status}: ${JSON.stringify(body)}`);
  return body.name;
}

/** A service's own port. */
export function serviceOf(server: BelayServer, id: string): Endpoint {
  const own = server.services[id];
  if (!own) throw new Error(`service ${id} has no port of its own`);
  return own;
}
