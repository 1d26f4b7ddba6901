// The world that the tests of declared APIs look at: a whole server with APIs in both dialects, whose methods are called as
// their clients call them. Requests and answers are JSON on both transports, so that one test looks at both.
import { type DescMethod, fromBinary, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { messageToJson } from "../../../src/protocol/any.ts";
import { ModelSchema } from "../../../src/protocol/gen/google/cloud/automl/v1beta1/model_pb.ts";
import { AutoMl } from "../../../src/protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import {
  RecognizeTextResponseSchema,
  TextRecognitionAsyncService,
} from "../../../src/protocol/gen/yandex/cloud/ai/ocr/v1/ocr_service_pb.ts";
import {
  diskDeclaration,
  fixtureMethod,
  shopDeclaration,
} from "../../../src/services/declared/shop-service.fixture.ts";
import { defineService } from "../../../src/services/define-service.ts";
import type { ServiceDeclaration } from "../../../src/services/service-declaration.ts";
import { startTestServer, type TestServer } from "../../../src/testing/test-server.ts";
import { defineMethod, defineOperation, type OperationDefinition } from "../../../src/worker/worker.ts";
import { type CallFailure, callGrpc } from "../lro/lro-client.ts";
import { type RawResponse, rawRequest } from "../lro/raw-http.ts";

const declared: readonly ServiceDeclaration[] = [
  shopDeclaration({ hosts: ["shop.test"] }),
  diskDeclaration({ hosts: ["disk.test"] }),
  defineService({
    id: "automl",
    hosts: ["automl.test"],
    restPrefix: "/v1beta1",
    parents: ["projects/*/locations/*"],
    startServices: [AutoMl],
  }),
  defineService({
    id: "ocr",
    dialect: "yandex",
    hosts: ["ocr.test"],
    startServices: [TextRecognitionAsyncService],
  }),
];

/** Where a method is on REST: the HTTP method, the path, and whether all of the request is the body. */
export interface RestCall {
  method: string;
  path: string;
  body?: JsonObject;
}

/** How a call went: the answer, or the error's code, reason, message and fields. */
export type Seen =
  | { ok: true; json: JsonObject }
  | { ok: false; code: number; reason: string; message: string; fields: readonly string[] };

export interface DeclaredWorld extends TestServer {
  grpc(
    service: string,
    method: DescMethod,
    request: JsonObject,
    headers?: Record<string, string>,
  ): Promise<Seen>;
  rest(service: string, call: RestCall, headers?: Record<string, string>): Promise<Seen>;
  /** Waits until an operation is done. */
  done(service: string, name: string): Promise<void>;
}

/** What the workers run; shop.update-order has no handler. */
function handlers(): OperationDefinition[] {
  return [
    defineMethod(
      { type: "automl.create-model", method: AutoMl.method.createModel, response: ModelSchema },
      async ({ parent, model }, context) => {
        context.progress(60, "half way and more");
        const name = `${parent}/models/m1`;
        return model?.displayName === "" ? { name } : { name, displayName: `${model?.displayName}!` };
      },
    ),
    defineMethod(
      {
        type: "ocr.recognize",
        method: TextRecognitionAsyncService.method.recognize,
        response: RecognizeTextResponseSchema,
      },
      async ({ source }) => ({ textAnnotation: { fullText: Buffer.from(source.value ?? []).toString() } }),
    ),
    // Answers what it is asked for, whether that is an order or not.
    defineOperation({ type: "shop.create-order" }, async (_context, { options }) => options as JsonObject),
    defineOperation({ type: "shop.delete-order" }, async () => undefined),
    defineOperation({ type: "disk.resize" }, async (context) => {
      await new Promise((_, reject) =>
        context.signal.addEventListener("abort", () => reject(context.signal.reason)),
      );
      return undefined;
    }),
  ];
}

/** Starts the world; close it, or declare it with `await using`. */
export async function startDeclaredWorld(): Promise<DeclaredWorld> {
  const server = await startTestServer({ operations: handlers(), services: declared });
  const clients = new Map<string, Client>();
  const clientOf = (service: string): Client => {
    let client = clients.get(service);
    if (!client) {
      const options = { "grpc.default_authority": `${service}.test` };
      client = new Client(server.address, credentials.createInsecure(), options);
      clients.set(service, client);
    }
    return client;
  };
  return {
    ...server,
    async grpc(service, method, request, headers = {}) {
      const { registry } = declared.find(({ id }) => id === service) as ServiceDeclaration;
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      const bytes = toBinary(method.input, fromJson(method.input, request, { registry }));
      const path = `/${method.parent.typeName}/${method.name}`;
      try {
        const answer = await callGrpc(clientOf(service), path, bytes, { metadata });
        const message = fromBinary(method.output, answer.bytes);
        return { ok: true, json: messageToJson(method.output, message, registry) as JsonObject };
      } catch (error) {
        const { code, reason, message, fields } = error as CallFailure;
        return { ok: false, code, reason, message, fields };
      }
    },
    async rest(service, { method, path, body }, headers = {}) {
      const host = { host: `${service}.test` };
      const json = body === undefined ? {} : { "content-type": "application/json" };
      const text = body === undefined ? undefined : JSON.stringify(body);
      const options = { body: text, headers: { ...host, ...json, ...headers } };
      return seenRest(await rawRequest(server.port, method, path, options));
    },
    async done(service, name) {
      const key = { service, tenant: "default", name };
      await server.engine.wait(key, { timeoutMs: 10_000, onCallerGone: () => {} });
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients.values()) client.close();
      await server.close();
    },
  };
}

interface RestError {
  code: number;
  message: string;
  details?: { "@type": string; reason?: string; fieldViolations?: { field: string }[] }[];
}

const codeOfHttp: Readonly<Record<number, number>> = { 400: 3, 403: 7, 404: 5, 501: 12 };

/** Google's errors are wrapped, Yandex's are a bare google.rpc.Status. */
function seenRest({ status, text }: RawResponse): Seen {
  const json = JSON.parse(text) as JsonObject;
  if (status === 200) return { ok: true, json };
  const { message, details = [] } = (json["error"] ?? json) as unknown as RestError;
  const reason = details.find((detail) => detail.reason !== undefined)?.reason ?? "";
  const fields = details.flatMap(({ fieldViolations = [] }) => fieldViolations.map(({ field }) => field));
  return { ok: false, code: codeOfHttp[status] ?? status, reason, message, fields };
}

/** A method of shop.v1.Shop or disk.v1.DiskService. */
export const methodOf: (name: string) => DescMethod = fixtureMethod;
