// An engine over a real store in a temporary folder, and a worker's end that writes down what it is told: what the tests of
// the engine's shell have in common.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createLogger, type Logger } from "../base/logger.ts";
import type { CommandOutcome, Grant } from "../engine/commands.ts";
import { type CancelCall, Engine, type StartRequest } from "../engine/engine.ts";
import type { CancelRequest, OperationKey, OperationPolicy, OperationRecord } from "../engine/operation.ts";
import type { FencedCommand, HeldAttempt, Session } from "../engine/session.ts";
import type { WorkerTransport } from "../engine/worker-transport.ts";
import { SqliteStore, type SqliteStoreOptions } from "../stores/sqlite/sqlite-store.ts";
import { eventually } from "./eventually.ts";

export const policy: OperationPolicy = {
  cancel: { cancellable: true, graceMs: 60_000, criticalMs: 0, cleanupMs: 0, killMs: 100 },
  maxAttempts: 2,
  backoffMs: 10,
  backoffMaxMs: 10,
  attemptTimeoutMs: 60_000,
  stallTimeoutMs: 0,
  retentionMs: 60_000,
  onDelete: "keep",
  typeLimit: 0,
  keyLimit: 0,
  unwatchedMs: 0,
};

export const key = (name: string): OperationKey => ({ service: "default", tenant: "default", name });
export const never = (): void => {};
export const empty = { typeUrl: "type.googleapis.com/google.protobuf.Empty", bytes: new Uint8Array() };

export function request(fields: Partial<StartRequest> = {}): StartRequest {
  return {
    service: "default",
    tenant: "default",
    idPrefix: "opr",
    parent: "",
    type: "test.work",
    createdBy: "user:ada",
    origin: "test",
    description: "",
    labels: {},
    request: null,
    metadata: null,
    requestId: "",
    requestDigest: "",
    method: "test",
    deadline: null,
    ...fields,
  };
}

export function cancelCall(name: string, fields: Partial<CancelCall> = {}): CancelCall {
  return { key: key(name), requestedBy: "user:bob", reason: "", origin: "test", graceMs: null, ...fields };
}

/** A worker's end that only writes down what it is told. */
export class Recording implements WorkerTransport {
  readonly reserves: boolean;
  readonly grants: Grant[] = [];
  readonly cancels: (CancelRequest & { name: string; token: number })[] = [];
  readonly revokedNames: string[] = [];
  /** Everything, in order: `granted a`, `cancel a`, `revoked a`, `drain`, `ended expired`. */
  readonly heard: string[] = [];

  constructor(reserves = false) {
    this.reserves = reserves;
  }

  granted(grant: Grant): void {
    this.grants.push(grant);
    this.heard.push(`granted ${grant.record.name}`);
  }

  cancelRequested({ name }: OperationRecord, token: number, cancel: CancelRequest): void {
    this.cancels.push({ ...cancel, name, token });
    this.heard.push(`cancel ${name}`);
  }

  revoked({ name }: OperationKey): void {
    this.revokedNames.push(name);
    this.heard.push(`revoked ${name}`);
  }

  drain(): void {
    this.heard.push("drain");
  }

  ended(why: string): void {
    this.heard.push(`ended ${why}`);
  }
}

export interface World {
  engine: Engine;
  store: SqliteStore;
  transport: Recording;
  session: Session;
}

/** An engine without workers. */
export async function openEngine(
  context: TestContext,
  options: { policy?: Partial<OperationPolicy>; store?: SqliteStoreOptions; logger?: Logger } = {},
): Promise<{ engine: Engine; store: SqliteStore }> {
  const folder = mkdtempSync(join(tmpdir(), "belay-engine-"));
  const store = await SqliteStore.open(folder, options.store ?? {});
  const engine = nextLife(context, store, options.policy, options.logger);
  context.after(async () => {
    await engine.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });
  return { engine, store };
}

/** An engine over a store that another one has used, as after a crash of the server: it knows no session. */
export function nextLife(
  context: TestContext,
  store: SqliteStore,
  fields: Partial<OperationPolicy> = {},
  logger: Logger = createLogger("silent"),
): Engine {
  const engine = new Engine({ store, logger });
  context.after(() => engine.close());
  engine.registerType("test.work", { ...policy, ...fields });
  engine.startMaintenance();
  return engine;
}

/** An engine with an embedded worker of some slots (default 4). */
export async function embedded(
  context: TestContext,
  fields: Partial<OperationPolicy> = {},
  slots = 4,
): Promise<World> {
  const { engine, store } = await openEngine(context, { policy: fields });
  const transport = new Recording();
  const session = await openSession(engine, transport, { slots });
  return { engine, store, transport, session };
}

/** An engine with a remote worker: its grants only reserve. */
export async function remote(
  context: TestContext,
  options: { policy?: Partial<OperationPolicy>; slots?: number; leaseMs?: number; guarded?: boolean } = {},
): Promise<World> {
  const { policy: fields = {}, slots = 4, leaseMs = 60_000, guarded = true } = options;
  const { engine, store } = await openEngine(context, { policy: fields });
  const transport = new Recording(true);
  const session = await openSession(engine, transport, { kind: "remote", slots, leaseMs, guarded });
  return { engine, store, transport, session };
}

export function openSession(
  engine: Engine,
  transport: WorkerTransport,
  fields: Partial<Parameters<Engine["openSession"]>[0]> = {},
): Promise<Session> {
  const hello = {
    kind: "embedded",
    worker: "w",
    build: "",
    principal: "worker:w",
    types: ["test.work"],
    slots: 4,
    guarded: true,
    bootId: "b",
    leaseMs: 0,
  } as const;
  return engine.openSession({ ...hello, ...fields }, transport);
}

/** An operation that was granted: it runs on an embedded worker, and is reserved for a remote one. */
export async function granted(
  { engine, transport }: Pick<World, "engine" | "transport">,
  fields: Partial<StartRequest> = {},
): Promise<HeldAttempt & { name: string }> {
  const { operation } = await engine.start(request(fields));
  return await grantOf(transport, operation.record.name);
}

export async function grantOf(transport: Recording, name: string): Promise<HeldAttempt & { name: string }> {
  const grant = await eventually("the grant", () =>
    transport.grants.find(({ record }) => record.name === name),
  );
  return { name, key: key(name), token: grant.record.leaseToken };
}

/** An operation that runs on a remote worker. */
export async function begun(
  all: Pick<World, "engine" | "transport" | "session">,
  fields: Partial<StartRequest> = {},
): Promise<HeldAttempt & { name: string }> {
  const attempt = await granted(all, fields);
  await report(all.session, attempt, { type: "begin" });
  return attempt;
}

type ReportFields<T> = T extends FencedCommand ? Omit<T, "key" | "session" | "token"> : never;

/** A worker's report of an attempt. */
export function report(
  session: Session,
  { key: operation, token }: HeldAttempt,
  fields: ReportFields<FencedCommand>,
): Promise<CommandOutcome> {
  return session.report({ ...fields, key: operation, session: session.id, token } as FencedCommand);
}

export const stopped = { type: "stopped", evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" } as const;
export const completed = { type: "complete", response: empty, digest: "d" } as const;
