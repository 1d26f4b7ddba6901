// One service on one transport, with the same words for all: the rows of the suite read alike for google and yandex, gRPC and
// REST. Calls answer what came, failures too; `must` turns a failure into an exception.
import assert from "node:assert/strict";
import type { JsonObject } from "@bufbuild/protobuf";
import { Operations as NativeOperations } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { OperationService } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import type { WireClient, WireReply } from "../wire/wire-client.ts";
import { type Caller, dialectOf, freshName, type ServiceId, type Transport } from "./suite-services.ts";
import type { Target } from "./target.ts";

/** An operation in either dialect. */
export interface Shown {
  readonly name: string;
  readonly done: boolean;
  readonly metadata: JsonObject | null;
  readonly error: { readonly code: number; readonly message: string; readonly details: number } | null;
  readonly response: (JsonObject & { "@type": string }) | null;
  /** Everything that came. */
  readonly json: JsonObject;
}

export interface StartOptions {
  readonly payload?: JsonObject;
  readonly parent?: string;
  readonly labels?: JsonObject;
  readonly requestId?: string;
  readonly description?: string;
}

export interface Held {
  readonly name: string;
  /** Lets the handler end. */
  open(): Promise<void>;
}

/** A good answer's message. */
export function must(reply: WireReply): JsonObject {
  assert.ok(
    reply.error === null && reply.json !== null,
    `${reply.httpStatus ?? ""} ${JSON.stringify(reply.error)}`,
  );
  return reply.json;
}

/** What a failed call tells: its code and reason. */
export function refusal(reply: WireReply): string {
  assert.ok(reply.error, `nothing failed: ${JSON.stringify(reply.json)}`);
  return `${reply.error.code} ${reply.error.reason}`;
}

/** The path of a name below a REST prefix. */
export function pathOf(service: ServiceId, name: string): string {
  if (dialectOf(service) === "yandex") return `/${name}`;
  return `${service === "automl" ? "/v1beta1" : "/v1"}/${name}`;
}

export class Surface {
  readonly service: ServiceId;
  readonly transport: Transport;
  readonly target: Target;

  constructor(options: { service: ServiceId; transport: Transport; target: Target }) {
    this.service = options.service;
    this.transport = options.transport;
    this.target = options.target;
  }

  get client(): WireClient {
    return this.target.client(this.service);
  }

  get isYandex(): boolean {
    return dialectOf(this.service) === "yandex";
  }

  /** Where its operations are unless a row says otherwise. */
  get parent(): string {
    return this.service === "automl" ? "projects/p/locations/l" : "";
  }

  get collection(): string {
    return this.parent === "" ? "operations" : `${this.parent}/operations`;
  }

  /** A well-formed name that no operation has. */
  get absentName(): string {
    return `${this.collection}/opr00000000000000000`;
  }

  get(name: string, caller: Caller | null = "ada"): Promise<WireReply> {
    const client = this.target.client(this.service, caller);
    if (this.transport === "rest") return client.rest("GET", pathOf(this.service, name));
    return this.isYandex
      ? client.grpc(OperationService.method.get, { operationId: idOf(name) })
      : client.grpc(Operations.method.getOperation, { name });
  }

  /** POST on REST, whatever else a service takes. */
  cancel(name: string, caller: Caller | null = "ada"): Promise<WireReply> {
    const client = this.target.client(this.service, caller);
    if (this.transport === "rest") return client.rest("POST", `${pathOf(this.service, name)}:cancel`);
    return this.isYandex
      ? client.grpc(OperationService.method.cancel, { operationId: idOf(name) })
      : client.grpc(Operations.method.cancelOperation, { name });
  }

  delete(name: string, caller: Caller | null = "ada"): Promise<WireReply> {
    const client = this.target.client(this.service, caller);
    return this.transport === "rest"
      ? client.rest("DELETE", pathOf(this.service, name))
      : client.grpc(Operations.method.deleteOperation, { name });
  }

  wait(name: string, timeout?: string): Promise<WireReply> {
    const body = timeout === undefined ? {} : { timeout };
    return this.transport === "rest"
      ? this.client.rest("POST", `${pathOf(this.service, name)}:wait`, { body })
      : this.client.grpc(Operations.method.waitOperation, { name, ...body });
  }

  /** `name` is a parent with or without `/operations`. */
  list(query: JsonObject = {}, caller: Caller | null = "ada"): Promise<WireReply> {
    const client = this.target.client(this.service, caller);
    const { name = this.collection, ...rest } = query;
    if (this.transport === "grpc") return client.grpc(Operations.method.listOperations, { name, ...rest });
    const search = new URLSearchParams(
      Object.entries(rest).map(([key, value]): [string, string] => [key, String(value)]),
    );
    const collection = /(^|\/)operations$/.test(String(name)) ? String(name) : `${name}/operations`;
    return client.rest("GET", `${pathOf(this.service, collection)}?${search}`);
  }

  /** The names on a page, and the token of the next one. */
  async page(
    query: JsonObject = {},
    caller: Caller | null = "ada",
  ): Promise<{ names: string[]; token: string }> {
    const json = must(await this.list(query, caller));
    const operations = (json["operations"] ?? []) as { name: string }[];
    return { names: operations.map(({ name }) => name), token: String(json["nextPageToken"] ?? "") };
  }

  /** Starts an operation by Belay's own API; answers its name. */
  async start(type: string, options: StartOptions = {}): Promise<string> {
    const { parent = this.parent, ...rest } = options;
    const json = must(await this.startReply(type, { ...rest, parent }));
    return String(json["name"]);
  }

  startReply(type: string, options: StartOptions = {}): Promise<WireReply> {
    const request = { type, ...options } as JsonObject;
    return this.transport === "rest"
      ? this.client.rest("POST", "/belay/v1/operations", { body: request })
      : this.client.grpc(NativeOperations.method.startOperation, request);
  }

  /** Everything that Belay's own API shows of an operation. */
  async native(name: string): Promise<JsonObject> {
    return must(await this.client.rest("GET", `/belay/v1/${name}`));
  }

  /** Starts one that holds, and waits until its handler runs. */
  async startRunning(type = "suite.hold", options: StartOptions = {}): Promise<Held> {
    const gate = freshName("gate");
    const name = await this.start(type, { ...options, payload: { ...options.payload, gate } });
    await this.running(name);
    return { name, open: () => this.open(gate) };
  }

  async running(name: string): Promise<void> {
    await eventually(`${name} runs`, async () => (await this.native(name))["state"] === "RUNNING");
  }

  async open(gate: string): Promise<void> {
    must(await this.startReply("suite.open", { payload: { gate }, parent: this.parent }));
  }

  /** Starts one and waits until it is done. */
  async startDone(type = "suite.echo", options: StartOptions = {}): Promise<string> {
    const name = await this.start(type, options);
    await this.ended(name);
    return name;
  }

  /** Waits for the end of an operation, and shows it. */
  async ended(name: string): Promise<Shown> {
    await eventually(`${name} is done`, async () => (await this.native(name))["done"] === true);
    return this.shown(await this.get(name));
  }

  shown(reply: WireReply): Shown {
    return shownOf(must(reply));
  }
}

/** An operation of either dialect, from its ProtoJSON. */
export function shownOf(json: JsonObject): Shown {
  const error = json["error"] as { code?: number; message?: string; details?: unknown[] } | undefined;
  return {
    name: String(json["name"] ?? `operations/${json["id"]}`),
    done: json["done"] === true,
    metadata: (json["metadata"] ?? null) as JsonObject | null,
    error: error
      ? { code: error.code ?? 0, message: error.message ?? "", details: error.details?.length ?? 0 }
      : null,
    response: (json["response"] ?? null) as Shown["response"],
    json,
  };
}

export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
