// The server of the complaints and its worker, each a process of its own. The worker's lease is a minute and its heartbeats
// come every 20 s, so that nothing that is quick can be due to them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type BelayClient,
  connect,
  type Operation,
  type OperationHandle,
  State,
} from "../../src/client/client.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { BelayProcess, belayCommand, runBelay } from "../cli/belay-process.ts";
import { readLines, stateName } from "../faults/outside.ts";
import { freePort, ServerProcess } from "../faults/server-process.ts";

const operationsFile = fileURLToPath(new URL("./operations.ts", import.meta.url));
const SLOTS = 40;

/** A server, a worker, and a client of them; they end with the test file. */
export class Library {
  readonly client: BelayClient;
  readonly address: string;
  readonly port: number;
  readonly folder: string;
  #server: ServerProcess;
  #crashed: Promise<void> = Promise.resolve();
  #files = 0;

  private constructor(folder: string, port: number, server: ServerProcess) {
    this.folder = folder;
    this.port = port;
    this.address = `127.0.0.1:${port}`;
    this.client = connect(this.address);
    this.#server = server;
  }

  static async open(): Promise<Library> {
    const folder = mkdtempSync(join(tmpdir(), "belay-complaints-"));
    const port = await freePort();
    const server = await ServerProcess.start({ port, data: join(folder, "data") });
    const library = new Library(folder, port, server);
    const words = ["work", operationsFile, "--server", library.address, "--slots", String(SLOTS)];
    const worker = new BelayProcess([...belayCommand, ...words, "--lease", "60s", "--log-level", "error"], {
      cwd: folder,
    });
    const end = async (): Promise<void> => {
      library.client.close();
      worker.child.kill("SIGKILL");
      await worker.end();
      await library.#crashed.catch(() => {});
      await library.#server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      await worker.says("stdout", /serves page\./);
    } catch (error) {
      await end(); // or its processes would keep this one alive
      throw error;
    }
    after(end);
    return library;
  }

  /** kill -9, and the next life on the same data. */
  async crash(): Promise<void> {
    const restart = async (): Promise<void> => {
      await this.#server[Symbol.asyncDispose]();
      this.#server = await ServerProcess.start({ port: this.port, data: join(this.folder, "data") });
    };
    this.#crashed = restart();
    await this.#crashed;
  }

  /** A file that nothing else writes into. */
  file(): string {
    this.#files++;
    return join(this.folder, `file-${this.#files}`);
  }

  /** Starts something that runs until it is stopped, and resolves once it really runs. */
  async running(type: string, payload: Record<string, number | string> = {}): Promise<Running> {
    const file = this.file();
    const operation = await this.client.start(type, { payload: { file, ms: 60_000, ...payload } });
    await eventually(`${type} runs`, () => readLines(file).length > 0);
    return { operation, file };
  }

  /** Runs the command line against the server, and answers what it printed. */
  async cli(...args: string[]): Promise<string> {
    const { stdout, stderr, code } = await runBelay([...args, "--server", this.address]);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  }
}

export interface Running {
  operation: OperationHandle;
  file: string;
}

/** Waits for the end, and answers it if it is CANCELLED. */
export async function untilCancelled(operation: OperationHandle): Promise<Operation> {
  const ended = await operation.wait({ timeoutMs: 15_000 });
  assert.equal(ended.state, State.CANCELLED, `${operation.name} is ${stateName(ended.state)}`);
  return ended;
}
