// belay.v1.Operations from outside on either transport, with one request for both: what is path, query and body on REST is
// said here by hand, not read from the annotations that the server reads.
import assert from "node:assert/strict";
import type { JsonObject } from "@bufbuild/protobuf";
import { Operations } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import type { WireClient, WireReply } from "../wire/wire-client.ts";

export type Transport = "grpc" | "rest";
export const transports: readonly Transport[] = ["grpc", "rest"];

/** The unary methods. */
export type NativeMethod = Exclude<keyof typeof Operations.method, "watchOperations">;

type Place = readonly [httpMethod: "GET" | "POST" | "DELETE", path: (request: JsonObject) => string];

const collection = ({ parent = "" }: JsonObject): string =>
  parent === "" ? "operations" : `${parent}/operations`;
const named =
  (suffix = ""): ((request: JsonObject) => string) =>
  ({ name }) =>
    `${name}${suffix}`;

/** Where each method is below /belay/v1/. */
export const places: Readonly<Record<NativeMethod, Place>> = {
  startOperation: ["POST", () => "operations"],
  batchStartOperations: ["POST", () => "operations:batchStart"],
  getOperation: ["GET", named()],
  listOperations: ["GET", collection],
  waitOperation: ["POST", named(":wait")],
  cancelOperation: ["POST", named(":cancel")],
  cancelOperations: ["POST", (request) => `${collection(request)}:cancel`],
  deleteOperation: ["DELETE", named()],
  rerunOperation: ["POST", named(":rerun")],
  explainOperation: ["GET", named(":explain")],
  releaseHeldOperation: ["POST", named(":releaseHold")],
  getReceipt: ["GET", named("/receipt")],
  listWorkers: ["GET", () => "workers"],
  exportReceipts: ["GET", () => "receipts:export"],
};

/** Calls a method with the ProtoJSON of its request. */
export function callNative(
  client: WireClient,
  transport: Transport,
  method: NativeMethod,
  request: JsonObject = {},
): Promise<WireReply> {
  if (transport === "grpc") return client.grpc(Operations.method[method], request);
  const [httpMethod, path] = places[method];
  const { name: _name, ...unnamed } = request;
  const { parent: _parent, ...rest } = unnamed;
  const target = `/belay/v1/${path(request)}`;
  // Of a start the parent is a field like any other.
  if (httpMethod === "POST") {
    return client.rest("POST", target, { body: method === "startOperation" ? unnamed : rest });
  }
  const query = new URLSearchParams(
    Object.entries(rest).map(([key, value]): [string, string] => [key, String(value)]),
  );
  return client.rest(httpMethod, query.size === 0 ? target : `${target}?${query}`);
}

/** A good answer's message. */
export function must(reply: WireReply): JsonObject {
  assert.ok(reply.error === null && reply.json !== null, JSON.stringify(reply.error));
  return reply.json;
}

/** What a failed call tells: its code and reason. */
export function refusal(reply: WireReply): string {
  assert.ok(reply.error, `nothing failed: ${JSON.stringify(reply.json)}`);
  return `${reply.error.code} ${reply.error.reason}`;
}

/** A list in an answer; empty where there is none. */
export function listOf(json: JsonObject, field: string): JsonObject[] {
  return (json[field] ?? []) as JsonObject[];
}
