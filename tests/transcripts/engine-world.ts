// Runs transcript lines over the real Engine and SQLite store, in a temporary folder, for the cells that need waiters,
// retention or a restart. The clock is moved by hand, and nothing ticks by itself.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../src/base/logger.ts";
import { RpcError } from "../../src/base/rpc-error.ts";
import { Engine } from "../../src/engine/engine.ts";
import {
  isDone,
  type OperationKey,
  type OperationRecord,
  type StoredOperation,
} from "../../src/engine/operation.ts";
import type { FencedCommand, Session } from "../../src/engine/session.ts";
import { SqliteStore } from "../../src/stores/sqlite/sqlite-store.ts";
import { SharedClock } from "../../src/stores/sqlite/store-clock.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { EPOCH, payload, samplePolicy } from "../../src/testing/sample-operation.ts";
import { answerText, type CommandLine, commandOf, parseLine, recordText } from "./command-line.ts";

const TYPE = "test.work";

/** Longer than any transcript takes: a wait ends by what it waits for. */
const WAIT_MS = 60_000;

export class EngineWorld {
  readonly #clock = new SharedClock(EPOCH);
  readonly #folders: string[] = [];
  /** The operation's own key, by its name in the transcript. */
  readonly #keys = new Map<string, OperationKey>();
  readonly #sessions = new Map<string, Session>();
  #store!: SqliteStore;
  #engine!: Engine;
  #wait: Promise<string> | null = null;

  static async open(): Promise<EngineWorld> {
    const world = new EngineWorld();
    await world.#open(world.#makeFolder(), []);
    return world;
  }

  /** Runs one line, and answers what it showed; then what an open wait does. */
  async run(text: string): Promise<string[]> {
    const line = parseLine(text);
    let shown: string[];
    try {
      shown = await this.#act(line);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      shown = [`refused ${error.reason}`];
    }
    return [...shown, ...(await this.#showWait())];
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await this.#wait;
    await this.#store.close();
    for (const folder of this.#folders) rmSync(folder, { recursive: true });
  }

  async #act(line: CommandLine): Promise<string[]> {
    const [word = ""] = line.words;
    switch (line.verb) {
      case "start":
        return this.#start(line);
      case "lease":
        return this.#lease(line, word);
      case "cancel":
        return this.#cancel(line);
      case "delete":
        await this.#engine.delete({ key: this.#key(line), requestedBy: "bob", origin: "google/grpc" });
        return this.#show(line, "ok");
      case "expire":
        await this.#engine.closeSession(this.#session(word).id);
        return this.#show(line, "ok");
      case "show":
        return this.#show(line, "stored");
      case "get":
        return [clientView(await this.#engine.get(this.#key(line)))];
      case "pass":
        this.#clock.advance(Number(word));
        return [];
      case "purge":
        return [`purged ${await this.#store.purge(10)}`];
      case "wait":
        this.#wait = this.#startWait(this.#key(line));
        return [];
      case "drain":
        for (const session of this.#sessions.values()) session.drain();
        this.#engine.releaseWaiters();
        return [];
      case "crash":
        return this.#crash(line.words.includes("survived") ? [this.#key(line).name] : []);
      default:
        return this.#report(line, word);
    }
  }

  async #start({ name, values }: CommandLine): Promise<string[]> {
    this.#engine.registerType(TYPE, samplePolicy({ maxAttempts: Number(values.get("maxAttempts") ?? 2) }));
    const { operation, created } = await this.#engine.start({
      service: "default",
      tenant: "default",
      idPrefix: "opr",
      parent: "",
      type: TYPE,
      createdBy: "alice",
      origin: "native/grpc",
      description: "",
      labels: {},
      request: payload("request"),
      metadata: null,
      requestId: values.get("request") ?? "",
      requestDigest: values.get("body") ?? "body",
      method: "Start",
      deadline: null,
    });
    const { service, tenant, name: ownName } = operation.record;
    this.#keys.set(name, { service, tenant, name: ownName });
    return [`${created ? "ok" : "ok, nothing changed"}: ${this.#recordText(operation.record)}`];
  }

  /** A session with one slot connects and takes what is there. */
  async #lease(line: CommandLine, label: string): Promise<string[]> {
    const granted: string[] = [];
    const transport = {
      reserves: false,
      granted: ({ record }: { record: OperationRecord }): void => void granted.push(record.name),
      cancelRequested: (): void => {},
      revoked: (): void => {},
      drain: (): void => {},
      ended: (): void => {},
    };
    const hello = {
      worker: label,
      types: [TYPE],
      slots: 1,
      guarded: label === "w1",
      bootId: "boot",
      build: "",
      principal: "",
    };
    this.#sessions.set(
      label,
      await this.#engine.openSession({ ...hello, kind: "embedded", leaseMs: 0 }, transport),
    );
    await eventually(`${label} is granted the operation`, () => granted.length > 0, { timeoutMs: 3000 });
    return this.#show(line, "ok");
  }

  async #cancel(line: CommandLine): Promise<string[]> {
    const request = { requestedBy: "bob", reason: "no longer needed", origin: "google/grpc", graceMs: null };
    const { verdict } = await this.#engine.cancel({ key: this.#key(line), ...request });
    return this.#show(line, verdict);
  }

  async #report(line: CommandLine, word: string): Promise<string[]> {
    const [label = ""] = word.split("#");
    const session = this.#session(label);
    const command = commandOf(line, await this.#record(line), this.#clock.now());
    if (command === null || !("token" in command)) throw new Error(`no command is called "${line.verb}"`);
    const report: FencedCommand = { ...command, key: this.#key(line), session: session.id };
    const outcome = await session.report(report);
    return outcome.type === "refused" ? [answerText(outcome)] : this.#show(line, answerText(outcome));
  }

  /**
   * What a killed process leaves: the files as they are at this moment. A new one opens them and settles what was;
   * `survivors` names the operations whose work was seen alive and could not be ended.
   */
  async #crash(survivors: readonly string[]): Promise<string[]> {
    const image = this.#makeFolder();
    cpSync(this.#folders.at(-2) ?? "", image, { recursive: true });
    const lost = this.#wait === null ? [] : ["  wait: connection lost"];
    this.#wait = null;
    this.#sessions.clear();
    await this.#engine.close();
    await this.#store.close();
    await this.#open(image, survivors);
    return lost;
  }

  async #open(folder: string, survivors: readonly string[]): Promise<void> {
    this.#store = await SqliteStore.open(folder, { clock: this.#clock });
    this.#engine = new Engine({ store: this.#store, logger: createLogger("silent") });
    await this.#engine.settleFormerSessions(survivors);
  }

  #makeFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), "belay-transcript-"));
    this.#folders.push(folder);
    return folder;
  }

  /** The wait is answered in the turn of the commit that wakes it; a held one is still counted. */
  #startWait(key: OperationKey): Promise<string> {
    const wait = this.#engine.wait(key, { timeoutMs: WAIT_MS, onCallerGone: () => {} });
    return wait.then(clientView, (error: unknown) =>
      error instanceof RpcError ? `refused ${error.reason}` : String(error),
    );
  }

  async #showWait(): Promise<string[]> {
    if (this.#wait === null) return [];
    if (this.#engine.waiterCount > 0) return ["  wait: held"];
    const answer = await this.#wait;
    this.#wait = null;
    return [`  wait: answered ${answer}`];
  }

  #key({ name, text }: CommandLine): OperationKey {
    const key = this.#keys.get(name);
    if (!key) throw new Error(`"${text}": operation ${name} was not started`);
    return key;
  }

  #session(label: string): Session {
    const session = this.#sessions.get(label);
    if (!session) throw new Error(`no session is called "${label}"`);
    return session;
  }

  async #record(line: CommandLine): Promise<OperationRecord | null> {
    return (await this.#store.getOperation(this.#key(line)))?.record ?? null;
  }

  async #show(line: CommandLine, answer: string): Promise<string[]> {
    const record = await this.#record(line);
    return [record === null ? answer : `${answer}: ${this.#recordText(record)}`];
  }

  /** With the sessions' names of the transcript. */
  #recordText(record: OperationRecord): string {
    let text = recordText(record);
    for (const [label, { id }] of this.#sessions) text = text.replaceAll(id, label);
    return text;
  }
}

function clientView({ record }: StoredOperation): string {
  const { outcome, state } = record;
  if (!isDone(state) || outcome === null) return "done=false";
  return outcome.kind === "response"
    ? "done, response"
    : `done, error ${outcome.status.code}: ${outcome.status.message}`;
}
