// A real `belay serve` process that tests may kill, stop and start again on the same port and folder.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

/** From source, so that what is tested is what stands here, built or not. */
const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const cache = fileURLToPath(new URL("../../node_modules/.cache/belay-tests", import.meta.url));

export interface ServerProcessOptions {
  port: number;
  data: string;
  /** The database that it shares with other nodes; absent: it has one of its own in `data`. */
  store?: string;
  /** Its configuration file. */
  config?: string;
  /** What its own worker serves; absent: it has none. */
  operations?: URL;
  slots?: number;
  env?: Readonly<Record<string, string>>;
}

/** The environment of a process of the tests: with a place for what Node has compiled. */
export function processEnvironment(added: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, NODE_COMPILE_CACHE: cache, ...added };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

/** One life of the server. */
export class ServerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #output = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, "exit").then(([code, signal]) => ({ code, signal }));
  }

  /** Starts a server and resolves when it says that it serves. */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const { port, data, store, config, operations, slots = 16, env } = options;
    const args = ["serve", "--port", String(port), "--data", data, "--slots", String(slots)];
    if (store !== undefined) args.push("--store", store);
    if (config !== undefined) args.push("--config", config);
    if (operations) args.push("--operations", fileURLToPath(operations));
    const child = spawn(process.execPath, [main, ...args, "--log-level", "warn"], {
      stdio: ["ignore", "pipe", "pipe"],
      env: processEnvironment(env),
    });
    const server = new ServerProcess(child);
    await server.#ready();
    return server;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Standard output and error so far. */
  get output(): string {
    return this.#output;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  exited(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGCONT");
    this.kill("SIGKILL");
    await this.#exited;
  }

  async #ready(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const read = (chunk: Buffer): void => {
      this.#output += chunk.toString();
      if (this.#output.includes("serving on")) resolve();
    };
    this.#child.stdout?.on("data", read);
    this.#child.stderr?.on("data", read);
    const exit = this.#exited.then(({ code, signal }) => {
      throw new Error(`belay serve ended with ${code ?? signal} before it served:\n${this.#output}`);
    });
    exit.catch(() => {}); // after it is ready, an exit is no surprise
    await Promise.race([promise, exit]);
  }
}
