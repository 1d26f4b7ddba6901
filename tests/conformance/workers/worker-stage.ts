// The stage of the worker conformance tests: a real `belay serve` process, a client, and teams of worker processes. A team
// has operation types of its own, so that what one claim does to its workers disturbs no other claim on the same server.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BelayClient, connect, type Worker } from "../../../src/client/client.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { BelayProcess, belayCommand } from "../../cli/belay-process.ts";
import { freePort } from "../../faults/server-process.ts";
import { WatchedWork, type WorkFields } from "./watched-work.ts";

/** Long enough that a busy machine loses no lease by accident. */
const CALM_LEASE_MS = 15_000;
const END_MS = 10_000;

/** A worker in some language, with the types of typescript-worker.ts. */
export interface WorkerProgram {
  /** For the titles of the tests. */
  readonly language: string;
  /** The words that run it. The arguments: SERVER NAME SLOTS LEASE_SECONDS PREFIX. */
  command(args: readonly string[]): readonly [string, ...string[]];
}

export interface TeamWorkerOptions {
  slots?: number;
  leaseMs?: number;
  /** The port that it connects to, instead of the server's own. */
  port?: number;
}

/** One worker process, and what the server says of it. */
export class TeamWorker {
  readonly name: string;
  readonly process: BelayProcess;
  readonly #client: BelayClient;

  constructor(name: string, process: BelayProcess, client: BelayClient) {
    this.name = name;
    this.process = process;
    this.#client = client;
  }

  /** Its session as the server lists it; undefined if it has none. */
  async session(): Promise<Worker | undefined> {
    return (await this.#client.workers()).find(({ worker }) => worker === this.name);
  }

  /** Resolves when a heartbeat that is sent from now on has been taken. */
  async nextHeartbeat(): Promise<void> {
    const seen = new Set<string>();
    // The one that is under way now was sent before.
    await eventually(`two heartbeats of ${this.name}`, async () => {
      const { heartbeatTime } = (await this.session()) ?? {};
      return seen.add(`${heartbeatTime?.seconds}.${heartbeatTime?.nanos}`).size > 2;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.process.child.kill(signal);
  }
}

/** The workers of one claim, with the work that is done on them. */
export class Team {
  readonly stage: Stage;
  readonly prefix: string;
  readonly #program: WorkerProgram;
  readonly #folder: string;
  readonly #workers: TeamWorker[] = [];
  #works = 0;

  constructor(stage: Stage, program: WorkerProgram, prefix: string) {
    this.stage = stage;
    this.prefix = prefix;
    this.#program = program;
    this.#folder = join(stage.folder, prefix);
    mkdirSync(this.#folder);
  }

  /** Starts a worker; resolves when the server lists it. */
  async worker(options: TeamWorkerOptions = {}): Promise<TeamWorker> {
    const { slots = 16, leaseMs = CALM_LEASE_MS, port = this.stage.port } = options;
    const name = `${this.prefix}-${this.#workers.length + 1}`;
    const args = [`127.0.0.1:${port}`, name, String(slots), String(leaseMs / 1000), this.prefix];
    // What a worker keeps beside its work goes with the test.
    const process = new BelayProcess(this.#program.command(args), { env: { TMPDIR: this.#folder } });
    const worker = new TeamWorker(name, process, this.stage.client);
    this.#workers.push(worker);
    await eventually(`worker ${name} is listed`, () => worker.session(), { timeoutMs: 20_000 });
    return worker;
  }

  /** The full name of a type of this team. */
  type(kind: string): string {
    return `${this.prefix}.${kind}`;
  }

  /** A new folder for the traces of one operation. */
  folder(): string {
    const folder = join(this.#folder, String(++this.#works));
    mkdirSync(folder);
    return folder;
  }

  /** Starts an operation with a folder of its own. */
  async start(kind: string, { payload = {}, ...fields }: WorkFields = {}): Promise<WatchedWork> {
    const folder = this.folder();
    const { client } = this.stage;
    const { name } = await client.start(this.type(kind), { ...fields, payload: { folder, ...payload } });
    return new WatchedWork(client, name, folder);
  }

  /** An operation that was started elsewhere. */
  known(name: string, folder: string): WatchedWork {
    return new WatchedWork(this.stage.client, name, folder);
  }

  /** What the workers have printed. */
  get output(): string {
    return this.#workers
      .map(({ name, process: { stdout, stderr } }) => `--- ${name}\n${stdout}${stderr}`)
      .join("\n");
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) {
      worker.signal("SIGCONT");
      worker.signal("SIGKILL");
    }
    await Promise.all(this.#workers.map(({ process }) => process.end()));
  }
}

/** A server, its store, and a client of it. */
export class Stage {
  readonly folder: string;
  readonly port: number;
  readonly client: BelayClient;
  readonly #program: WorkerProgram;
  #server: BelayProcess | undefined;
  #teams = 0;

  private constructor(program: WorkerProgram, port: number) {
    this.#program = program;
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), "belay-workers-"));
    this.client = connect(`127.0.0.1:${port}`);
  }

  static async open(program: WorkerProgram): Promise<Stage> {
    const stage = new Stage(program, await freePort());
    await stage.startServer();
    return stage;
  }

  /** On the same port and store each time. */
  async startServer(): Promise<void> {
    const args = ["serve", "--port", String(this.port), "--data", join(this.folder, "data")];
    this.#server = new BelayProcess([...belayCommand, ...args, "--log-level", "warn"], { cwd: this.folder });
    await this.#server.says("stdout", /serving on/);
  }

  /** Ends the server as a crash does. */
  async killServer(): Promise<void> {
    this.#server?.child.kill("SIGKILL");
    await this.#server?.end();
  }

  team(): Team {
    return new Team(this, this.#program, `w${++this.#teams}`);
  }

  get output(): string {
    return `--- server\n${this.#server?.stdout}${this.#server?.stderr}`;
  }

  async close(): Promise<void> {
    this.client.close();
    await this.killServer();
    await eventually(
      "the folder is free",
      () => {
        rmSync(this.folder, { recursive: true, force: true });
        return true;
      },
      { timeoutMs: END_MS },
    );
  }
}
