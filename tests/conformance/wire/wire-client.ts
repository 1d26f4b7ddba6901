// A client of any server by its address, for both transports: HTTP/1.1 by node:http, gRPC by grpc-js, messages by protobuf-es.
// It says what came, to the byte, and judges nothing. A failed call is an answer like any other.
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, Agent as TlsAgent } from "node:https";
import {
  type DescMethod,
  fromBinary,
  fromJson,
  type JsonObject,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { anyToJson, messageToJson } from "../../../src/protocol/any.ts";
import { StatusSchema } from "../../../src/protocol/gen/google/rpc/status_pb.ts";
import { baseTypeRegistry } from "../../../src/protocol/type-registry.ts";

/** An error as either transport tells it. */
export interface WireError {
  /** The google.rpc code. */
  readonly code: number;
  readonly message: string;
  /** ProtoJSON of every detail. */
  readonly details: readonly WireDetail[];
  /** Of the ErrorInfo; "" without one. */
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface WireDetail extends JsonObject {
  "@type": string;
}

/** One answer. */
export interface WireReply {
  readonly transport: "grpc" | "rest";
  /** null on gRPC. */
  readonly httpStatus: number | null;
  /** REST: headers. gRPC: initial metadata; of an error: none, it comes in trailers only. */
  readonly headers: Readonly<Record<string, string>>;
  /** gRPC: trailing metadata, binary values as base64. REST: the headers. */
  readonly trailers: Readonly<Record<string, string>>;
  /** REST: the body. gRPC: "". */
  readonly text: string;
  /** gRPC: the message. REST: empty. */
  readonly bytes: Buffer;
  /** The answer's message as ProtoJSON, or null for an error. */
  readonly json: JsonObject | null;
  readonly error: WireError | null;
}

/** Where a service is, and by which name it is called there. */
export interface WirePlace {
  /** For instance `http://127.0.0.1:8080`. */
  readonly url: string;
  /** The Host header and `:authority`; null: those of the URL. */
  readonly authority: string | null;
}

export interface RestOptions {
  /** Text as it stands, or a value that is sent as JSON. */
  readonly body?: unknown;
  /** A list is sent as several headers. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly authorization?: string | readonly string[] | null;
}

export interface GrpcOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly authorization?: string | readonly string[] | null;
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 20_000;

/** The names of the codes, in the order of their numbers. */
const codeNames =
  "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED".split(
    " ",
  );

export class WireClient {
  readonly place: WirePlace;
  readonly registry: Registry;
  /** What every call carries that says nothing of it. */
  readonly authorization: string | null;
  readonly #agent: Agent;
  readonly #tlsAgent = new TlsAgent({ keepAlive: true });
  #grpc: Client | undefined;

  constructor(
    place: WirePlace,
    options: { registry?: Registry; authorization?: string | null; agent?: Agent } = {},
  ) {
    this.place = place;
    this.registry = options.registry ?? baseTypeRegistry;
    this.authorization = options.authorization ?? null;
    this.#agent = options.agent ?? new Agent({ keepAlive: true });
  }

  /** The same place, for another caller. It has connections of its own. */
  as(authorization: string | null): WireClient {
    return new WireClient(this.place, { registry: this.registry, authorization });
  }

  close(): void {
    this.#agent.destroy();
    this.#tlsAgent.destroy();
    this.#grpc?.close();
  }

  /** The target goes as it stands. */
  async rest(method: string, target: string, options: RestOptions = {}): Promise<WireReply> {
    const { body, headers = {} } = options;
    const authorization = options.authorization === undefined ? this.authorization : options.authorization;
    const sent: Record<string, string | string[]> = {};
    if (this.place.authority !== null) sent["host"] = this.place.authority;
    if (authorization !== null)
      sent["authorization"] = typeof authorization === "string" ? authorization : [...authorization];
    if (body !== undefined) sent["content-type"] = "application/json";
    Object.assign(sent, headers);
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    // On a GET node:http announces no body by itself.
    if (text !== undefined && sent["transfer-encoding"] === undefined)
      sent["content-length"] = String(Buffer.byteLength(text));
    const url = new URL(this.place.url);
    const isTls = url.protocol === "https:";
    const options_ = {
      host: url.hostname,
      port: url.port || (isTls ? 443 : 80),
      method,
      path: target,
      headers: sent,
      agent: isTls ? this.#tlsAgent : this.#agent,
    };
    const call = isTls ? httpsRequest(options_) : httpRequest(options_);
    const { promise, resolve, reject } = Promise.withResolvers<WireReply>();
    call.on("error", reject);
    call.on("response", (response) => {
      readText(response).then((body_) => resolve(restReply(response, body_)), reject);
    });
    call.end(text);
    return promise;
  }

  /** Calls a method with the ProtoJSON of its request. */
  async grpc(method: DescMethod, request: JsonObject, options: GrpcOptions = {}): Promise<WireReply> {
    const { registry } = this;
    const bytes = toBinary(method.input, fromJson(method.input, request, { registry }));
    const reply = await this.grpcBytes(`/${method.parent.typeName}/${method.name}`, bytes, options);
    if (reply.error) return reply;
    const message = fromBinary(method.output, reply.bytes);
    return { ...reply, json: messageToJson(method.output, message, registry) as JsonObject };
  }

  /** Calls a path with bytes; the answer's `json` is null. */
  grpcBytes(path: string, request: Uint8Array, options: GrpcOptions = {}): Promise<WireReply> {
    const authorization = options.authorization === undefined ? this.authorization : options.authorization;
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
    for (const value of authorization === null ? [] : [authorization].flat()) {
      metadata.add("authorization", value);
    }
    const deadline = Date.now() + (options.deadlineMs ?? DEADLINE_MS);
    const identity = (bytes: Buffer): Buffer => bytes;
    return new Promise((resolve) => {
      let headers = new Metadata();
      let answer: Buffer | undefined;
      let failure: ServiceError | null = null;
      const call = this.#client().makeUnaryRequest(
        path,
        identity,
        identity,
        Buffer.from(request),
        metadata,
        { deadline },
        (error, response) => {
          failure = error;
          answer = response;
        },
      );
      call.on("metadata", (received: Metadata) => {
        headers = received;
      });
      call.on("status", ({ metadata: trailers }) => {
        setImmediate(() => resolve(grpcReply({ headers, trailers, failure, answer })));
      });
    });
  }

  #client(): Client {
    if (this.#grpc) return this.#grpc;
    const { host, protocol } = new URL(this.place.url);
    const channel = protocol === "https:" ? credentials.createSsl() : credentials.createInsecure();
    const { authority } = this.place;
    this.#grpc = new Client(host, channel, {
      "grpc.use_local_subchannel_pool": 1,
      ...(authority !== null && { "grpc.default_authority": authority }),
    });
    return this.#grpc;
  }
}

/** The whole body. */
export async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding("utf8");
  let text = "";
  for await (const chunk of response) text += chunk;
  return text;
}

/** What a finished HTTP answer tells. */
export function restReply(response: IncomingMessage, text: string): WireReply {
  const httpStatus = response.statusCode ?? 0;
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
  );
  const base = {
    transport: "rest",
    httpStatus,
    headers,
    trailers: headers,
    text,
    bytes: Buffer.alloc(0),
  } as const;
  if (httpStatus < 400) return { ...base, json: parsed(text), error: null };
  const body = parsed(text) ?? {};
  // AIP-193 wraps the error and gives its code by name; Yandex sends a bare google.rpc.Status.
  const { error } = body as { error?: { message: string; status: string; details?: WireDetail[] } };
  const bare = body as { code?: number; message?: string; details?: WireDetail[] };
  return {
    ...base,
    json: null,
    error: error
      ? wireError(codeNames.indexOf(error.status), error.message, error.details ?? [])
      : wireError(bare.code ?? -1, bare.message ?? text, bare.details ?? []),
  };
}

function parsed(text: string): JsonObject | null {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return null;
  }
}

interface GrpcParts {
  headers: Metadata;
  trailers: Metadata;
  failure: ServiceError | null;
  answer: Buffer | undefined;
}

function grpcReply({ headers, trailers, failure, answer }: GrpcParts): WireReply {
  const base = {
    transport: "grpc",
    httpStatus: null,
    headers: textsOf(headers),
    trailers: textsOf(trailers),
    text: "",
    bytes: answer ?? Buffer.alloc(0),
    json: null,
  } as const;
  return { ...base, error: failure && errorOfGrpc(failure, trailers) };
}

/** What a failed gRPC call tells. */
export function errorOfGrpc({ code, details: message }: ServiceError, trailers: Metadata): WireError {
  const [bytes] = trailers.get("grpc-status-details-bin");
  const { details = [] } = bytes instanceof Buffer ? fromBinary(StatusSchema, bytes) : {};
  return wireError(code, message, details.map(detailJson));
}

function detailJson({ typeUrl, value: bytes }: Any): WireDetail {
  return anyToJson({ typeUrl, bytes }, baseTypeRegistry) as WireDetail;
}

function textsOf(metadata: Metadata): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata.getMap()).map(([name, value]) => [
      name,
      value instanceof Buffer ? value.toString("base64") : String(value),
    ]),
  );
}

/** An error of its parts. */
export function wireError(code: number, message: string, details: readonly WireDetail[]): WireError {
  const info = details.find((detail) => detail["@type"].endsWith("/google.rpc.ErrorInfo")) as
    | (WireDetail & { reason?: string; domain?: string; metadata?: Record<string, string> })
    | undefined;
  return {
    code,
    message,
    details,
    reason: info?.reason ?? "",
    domain: info?.domain ?? "",
    metadata: info?.metadata ?? {},
  };
}
