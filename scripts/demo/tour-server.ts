// The tour's own server: `belay tls` and `belay serve` as a user runs them, with everything that they write in one folder,
// which goes with them. Its ports are free ones, so that a server that already runs is not in the way.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { delay } from "../../src/base/timers.ts";

const run = promisify(execFile);

const START_MAX_MS = 30_000;
/** Longer than the server's own grace for running work and open calls. */
const STOP_MAX_MS = 15_000;

const googleHosts = ["vault", "dai", "automl"].map((id) => `${id}.googleapis.com`);

export interface TourServerOptions {
  /** The repository. */
  root: string;
  /** The modules of the operations. */
  operationFiles: readonly string[];
  signal: AbortSignal;
}

/** What its operations and its clients may know of it. */
export interface TourServer {
  pid: number;
  /** The main port, which tells services apart by host. */
  port: number;
  /** The ports that services have for themselves. */
  servicePorts: Readonly<Record<string, number>>;
  /** PEM of the authority that its certificate is by. */
  ca: string;
}

/** Folders of the examples, below the tour's. */
export interface TourFolders {
  top: string;
  mail: string;
  media: string;
  output: string;
}

/** The environment without what would lead a program of the tour elsewhere: Belay's own settings, proxies. */
export function tourEnvironment(added: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([key]) => !/^(BELAY_|npm_)|_proxy$|^no_?proxy$/i.test(key),
  );
  return { ...Object.fromEntries(kept), ...added };
}

/** A new folder for all that the tour writes. */
export function makeFolders(): TourFolders {
  const top = mkdtempSync(join(tmpdir(), "belay-demo-"));
  const folders = { top, mail: join(top, "mail"), media: join(top, "media"), output: join(top, "output") };
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true });
  return folders;
}

export class TourServerProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly address: TourServer;

  private constructor(child: ChildProcess, ended: Promise<unknown>, address: TourServer) {
    this.#child = child;
    this.#ended = ended;
    this.address = address;
  }

  /** Makes the certificate, starts the server, and resolves once it answers. */
  static async start(folders: TourFolders, options: TourServerOptions): Promise<TourServerProcess> {
    const { root, operationFiles, signal } = options;
    const belay = join(root, "bin/belay.js");
    const data = join(folders.top, "data");
    // In the tour's folder, so that no belay.yaml of the caller's folder is taken.
    const where = { cwd: folders.top, env: serverEnvironment(folders) };
    const hosts = googleHosts.flatMap((host) => ["--host", host]);
    const tls = await run(process.execPath, [belay, "tls", "--yandex", ...hosts, "--data", data, "--json"], {
      ...where,
      signal,
    });
    const { caFile } = JSON.parse(tls.stdout) as { caFile: string };
    const ids = ["yandex", "vault", "dai", "automl"];
    const args = [
      ...["serve", "--port", "0", "--data", data, "--log-level", "error", "--shutdown-grace", "2s"],
      ...ids.flatMap((id) => ["--service-port", `${id}=0`]),
      ...operationFiles.flatMap((file) => ["--operations", file]),
    ];
    // A process group of its own: Ctrl-C in the terminal is for the tour, which stops the server in its turn.
    const child = spawn(process.execPath, [belay, ...args], {
      ...where,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = once(child, "exit");
    ended.catch(() => undefined);
    killAtExit(child);
    const ports = await portsOf(child, ids, signal);
    const { main = 0, ...servicePorts } = ports;
    return new TourServerProcess(child, ended, { pid: child.pid ?? 0, port: main, servicePorts, ca: caFile });
  }

  /** Stops it as a user does, and by force if it does not end. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGTERM");
    await Promise.race([this.#ended, delay(STOP_MAX_MS)]);
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

/** Removes the folder; also when this process ends without having been asked to. */
export function removeAtExit(folder: string): () => void {
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  process.on("exit", remove);
  return remove;
}

/** Whatever ends the tour ends the server, and with it, by its supervisor, each process that it runs. */
function killAtExit(child: ChildProcess): void {
  process.on("exit", () => child.kill("SIGKILL"));
}

function serverEnvironment({ mail, media, output }: TourFolders): NodeJS.ProcessEnv {
  return tourEnvironment({
    VAULT_ARCHIVE: mail,
    VAULT_COUNT_RATE: "1000000",
    DAI_MEDIA: media,
    DAI_OUTPUT: output,
  });
}

/** The ports that it prints, by service id and `main`. Rejects with what it printed if it ends, or says nothing. */
async function portsOf(
  child: ChildProcess,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Record<string, number>> {
  let output = "";
  const { promise, resolve, reject } = Promise.withResolvers<Record<string, number>>();
  const read = (chunk: Buffer): void => {
    output += chunk.toString("utf8");
    const main = /serving on https?:\/\/[^\s]+:(\d+)/.exec(output);
    const own = [...output.matchAll(/service (\S+) alone on \S+:(\d+)\n/g)];
    if (!main || own.length < ids.length) return;
    resolve({ main: Number(main[1]), ...Object.fromEntries(own.map(([, id, port]) => [id, Number(port)])) });
  };
  child.stdout?.on("data", read);
  child.stderr?.on("data", read);
  child.once("error", reject);
  child.once("exit", (code) => reject(new Error(`belay serve ended with ${code}:\n${output}`)));
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  const late = AbortSignal.timeout(START_MAX_MS);
  late.addEventListener("abort", () => reject(new Error(`belay serve does not serve yet:\n${output}`)));
  return await promise;
}
