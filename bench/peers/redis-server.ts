// A Redis of the benchmarks: Debian's redis-server with its log on the same disk as everybody else's, gone in the end.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { delay } from "../../src/base/timers.ts";

/** Every second, as Redis does by default; or before each answer, as the databases here do. */
export type Fsync = "everysec" | "always";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}

/** `7.0.15`, or null where it is not installed. */
export function redisVersion(): string | null {
  try {
    return /v=([\d.]+)/.exec(execFileSync("redis-server", ["--version"], { encoding: "utf8" }))?.[1] ?? null;
  } catch {
    return null;
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

export class RedisServer implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  constructor(child: ChildProcess, folder: string, port: number) {
    this.#child = child;
    this.#folder = folder;
    this.url = `redis://127.0.0.1:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Starts one with an empty folder. */
export async function startRedis(fsync: Fsync): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "belay-redis-"));
  const port = await freePort();
  const settings = [
    ...[
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--dir",
      folder,
      "--save",
      "",
      "--loglevel",
      "warning",
    ],
    ...["--appendonly", "yes", "--appendfsync", fsync, "--maxmemory-policy", "noeviction"],
  ];
  const child = spawn("redis-server", settings, { stdio: ["ignore", "ignore", "inherit"] });
  for (let tries = 0; tries < 200 && !(await answers(port)); tries++) await delay(20);
  return new RedisServer(child, folder, port);
}
