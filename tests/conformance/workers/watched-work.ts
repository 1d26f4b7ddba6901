// One operation as the conformance tests see it: through the client, and from outside, by the traces that its handler
// leaves in a folder (`log`, `pids`) and the files that let it go on (`go`, `release`).
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type {
  BelayClient,
  CancelOptions,
  CancelResult,
  Operation,
  Receipt,
  StartFields,
} from "../../../src/client/client.ts";
import { StateSchema } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { isAlive, readLines } from "../../faults/outside.ts";

const END_MS = 20_000;

/** What an operation starts with; its folder is added to the payload. */
export type WorkFields = Omit<StartFields, "payload"> & { payload?: JsonObject };

export type Moment = Parameters<typeof timestampMs>[0];

/** Milliseconds since the epoch; NaN for none. */
export function msOf(time: Moment | undefined): number {
  return time ? timestampMs(time) : Number.NaN;
}

export function stateOf({ state }: Operation): string {
  return StateSchema.value[state]?.name ?? String(state);
}

/** The error of an operation, or the empty one. */
export function errorOf({ result }: Operation): { code: number; message: string } {
  return result.case === "error" ? result.value : { code: 0, message: "" };
}

/** The kinds of a receipt's events, in their order. */
export function kindsOf({ events }: Receipt): string[] {
  return events.map(({ kind }) => kind);
}

/** An operation with its traces. */
export class WatchedWork {
  readonly name: string;
  readonly folder: string;
  readonly #client: BelayClient;

  constructor(client: BelayClient, name: string, folder: string) {
    this.#client = client;
    this.name = name;
    this.folder = folder;
  }

  /** What its handlers have told, in their order; all attempts write to the same file. */
  get log(): string[] {
    return readLines(join(this.folder, "log"));
  }

  /** The processes that its commands have named. */
  get pids(): number[] {
    return readLines(join(this.folder, "pids")).map(Number);
  }

  /** Those of them that run. */
  get livingPids(): number[] {
    return this.pids.filter(isAlive);
  }

  /** Makes a file that the handler waits for. */
  allow(file: "go" | "release"): void {
    writeFileSync(join(this.folder, file), "");
  }

  /** Resolves when the log holds a line that begins so; answers the line. */
  async tells(beginning: string, timeoutMs: number = END_MS): Promise<string> {
    return await eventually(
      `${this.name} tells "${beginning}"`,
      () => this.log.find((line) => line.startsWith(beginning)),
      { timeoutMs },
    );
  }

  /** Resolves when so many processes have named themselves. */
  async runsProcesses(count: number): Promise<number[]> {
    await eventually(`${count} processes of ${this.name}`, () => this.pids.length >= count, {
      timeoutMs: END_MS,
    });
    return this.pids;
  }

  get(): Promise<Operation> {
    return this.#client.get(this.name);
  }

  /** Resolves once the operation is as `is` wants it. */
  async becomes(
    what: string,
    is: (operation: Operation) => unknown,
    timeoutMs: number = END_MS,
  ): Promise<Operation> {
    return await eventually(
      `${this.name} ${what}`,
      async () => {
        const operation = await this.get();
        return is(operation) ? operation : null;
      },
      { timeoutMs },
    );
  }

  /** Resolves with the operation once it is done, however it ended. */
  async ends(timeoutMs: number = END_MS): Promise<Operation> {
    const operation = await this.#client.wait(this.name, { timeoutMs });
    if (!operation.done) throw new Error(`${this.name} is ${stateOf(operation)} after ${timeoutMs} ms`);
    return operation;
  }

  cancel(options: CancelOptions = {}): Promise<CancelResult> {
    return this.#client.cancel(this.name, options);
  }

  receipt(): Promise<Receipt> {
    return this.#client.receipt(this.name);
  }
}
