// One client of google.longrunning.Operations for both transports, so that each sentence of the specification is
// checked on both with the same words. No product code: grpc-js, fetch and protobuf-es only.
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Any, EmptySchema } from "@bufbuild/protobuf/wkt";
import { type Client, Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  CancelOperationRequestSchema,
  DeleteOperationRequestSchema,
  GetOperationRequestSchema,
  ListOperationsRequestSchema,
  ListOperationsResponseSchema,
  type Operation,
  OperationSchema,
  WaitOperationRequestSchema,
} from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../src/protocol/gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../../src/protocol/gen/google/rpc/status_pb.ts";

/** An operation as either transport shows it. */
export interface SeenOperation {
  name: string;
  done: boolean;
  metadataType: string | null;
  error: { code: number; message: string; details: number } | null;
  responseType: string | null;
}

/** A failed call, as either transport tells it. */
export class CallFailure extends Error {
  /** The google.rpc code. */
  readonly code: number;
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fields: readonly string[];
  readonly hasRetryInfo: boolean;
  /** The types of all details. */
  readonly detailTypes: readonly string[];
  /** REST only. */
  readonly httpStatus: number | null;
  /** Headers (REST) or trailers (gRPC). */
  readonly headers: Readonly<Record<string, string>>;

  constructor(failure: Omit<CallFailure, "name" | "stack" | "cause">) {
    super(failure.message);
    this.code = failure.code;
    this.reason = failure.reason;
    this.domain = failure.domain;
    this.metadata = failure.metadata;
    this.fields = failure.fields;
    this.hasRetryInfo = failure.hasRetryInfo;
    this.detailTypes = failure.detailTypes;
    this.httpStatus = failure.httpStatus;
    this.headers = failure.headers;
  }
}

export interface SeenPage {
  names: string[];
  nextPageToken: string;
}

export interface ListQuery {
  name?: string;
  filter?: string;
  pageSize?: number;
  pageToken?: string;
  returnPartialSuccess?: boolean;
}

export interface LroClient {
  readonly transport: "grpc" | "rest";
  get(name: string): Promise<SeenOperation>;
  list(query?: ListQuery): Promise<SeenPage>;
  wait(name: string, timeoutMs?: number): Promise<SeenOperation>;
  /** Answers the verdict. */
  cancel(name: string): Promise<string>;
  delete(name: string): Promise<void>;
}

const SERVICE = "/google.longrunning.Operations";

/** A unary call with bytes in and out; answers the response and the trailers. */
export function callGrpc(
  client: Client,
  path: string,
  request: Uint8Array,
  options: { deadlineMs?: number; metadata?: Metadata } = {},
): Promise<{ bytes: Buffer; trailers: Metadata }> {
  const identity = (bytes: Buffer): Buffer => bytes;
  const deadline = Date.now() + (options.deadlineMs ?? 30_000);
  const metadata = options.metadata ?? new Metadata();
  return new Promise((resolve, reject) => {
    let bytes: Buffer | undefined;
    const call = client.makeUnaryRequest(
      path,
      identity,
      identity,
      Buffer.from(request),
      metadata,
      { deadline },
      (error, response) => {
        if (error) reject(failureOfGrpc(error));
        else bytes = response;
      },
    );
    call.on("status", ({ code, metadata: trailers }) => {
      if (code === 0) setImmediate(() => resolve({ bytes: bytes ?? Buffer.alloc(0), trailers }));
    });
  });
}

/** What a grpc-js error tells, by its `grpc-status-details-bin`. */
export function failureOfGrpc(error: ServiceError): CallFailure {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  const details = bytes instanceof Buffer ? fromBinary(StatusSchema, bytes).details : [];
  const headers = Object.fromEntries(
    Object.entries(error.metadata?.getMap() ?? {}).map(([key, value]) => [key, String(value)]),
  );
  return failureOfStatus({ code: error.code, message: error.details, details }, headers);
}

/** What a google.rpc.Status tells, wherever it came. */
export function failureOfStatus(
  { code, message, details }: Pick<Status, "code" | "message" | "details">,
  headers: Readonly<Record<string, string>> = {},
): CallFailure {
  const find = (type: string): Any | undefined => details.find(({ typeUrl }) => typeUrl.endsWith(`.${type}`));
  const info = find("ErrorInfo");
  const badRequest = find("BadRequest");
  const retryInfo = find("RetryInfo");
  const { reason, domain, metadata } = info
    ? fromBinary(ErrorInfoSchema, info.value)
    : { reason: "", domain: "", metadata: {} };
  if (retryInfo) fromBinary(RetryInfoSchema, retryInfo.value);
  return new CallFailure({
    message,
    code,
    reason,
    domain,
    metadata,
    fields: badRequest
      ? fromBinary(BadRequestSchema, badRequest.value).fieldViolations.map(({ field }) => field)
      : [],
    hasRetryInfo: retryInfo !== undefined,
    detailTypes: details.map(({ typeUrl }) => typeUrl),
    httpStatus: null,
    headers,
  });
}

function seen(operation: Operation): SeenOperation {
  const { result } = operation;
  const error = result.case === "error" ? result.value : null;
  return {
    name: operation.name,
    done: operation.done,
    metadataType: operation.metadata?.typeUrl ?? null,
    error: error && { code: error.code, message: error.message, details: error.details.length },
    responseType: result.case === "response" ? result.value.typeUrl : null,
  };
}

/** The client over a grpc-js channel. */
export function grpcLroClient(client: Client): LroClient {
  const operation = async (method: string, request: Uint8Array): Promise<SeenOperation> => {
    const { bytes } = await callGrpc(client, `${SERVICE}/${method}`, request);
    return seen(fromBinary(OperationSchema, bytes));
  };
  return {
    transport: "grpc",
    get: (name) =>
      operation(
        "GetOperation",
        toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { name })),
      ),
    async list(query = {}) {
      const init = query as MessageInitShape<typeof ListOperationsRequestSchema>;
      const request = toBinary(ListOperationsRequestSchema, create(ListOperationsRequestSchema, init));
      const { bytes } = await callGrpc(client, `${SERVICE}/ListOperations`, request);
      const page = fromBinary(ListOperationsResponseSchema, bytes);
      if (page.unreachable.length > 0) throw new Error("unreachable is never emitted");
      return { names: page.operations.map(({ name }) => name), nextPageToken: page.nextPageToken };
    },
    wait(name, timeoutMs) {
      const timeout =
        timeoutMs === undefined
          ? {}
          : {
              timeout: {
                seconds: BigInt(Math.floor(timeoutMs / 1000)),
                nanos: (timeoutMs % 1000) * 1_000_000,
              },
            };
      const request = create(WaitOperationRequestSchema, { name, ...timeout });
      return operation("WaitOperation", toBinary(WaitOperationRequestSchema, request));
    },
    async cancel(name) {
      const request = toBinary(CancelOperationRequestSchema, create(CancelOperationRequestSchema, { name }));
      const { bytes, trailers } = await callGrpc(client, `${SERVICE}/CancelOperation`, request);
      fromBinary(EmptySchema, bytes);
      return String(trailers.get("belay-cancel-verdict")[0]);
    },
    async delete(name) {
      const request = toBinary(DeleteOperationRequestSchema, create(DeleteOperationRequestSchema, { name }));
      const { bytes } = await callGrpc(client, `${SERVICE}/DeleteOperation`, request);
      fromBinary(EmptySchema, bytes);
    },
  };
}

interface JsonDetail {
  "@type": string;
  reason?: string;
  domain?: string;
  metadata?: Record<string, string>;
  fieldViolations?: { field?: string }[];
}

interface JsonOperation {
  name?: string;
  done?: boolean;
  metadata?: { "@type": string };
  error?: { code?: number; message?: string; details?: unknown[] };
  response?: { "@type": string };
}

function seenJson(operation: JsonOperation): SeenOperation {
  const { error } = operation;
  return {
    name: operation.name ?? "",
    done: operation.done ?? false,
    metadataType: operation.metadata?.["@type"] ?? null,
    error: error
      ? { code: error.code ?? 0, message: error.message ?? "", details: error.details?.length ?? 0 }
      : null,
    responseType: operation.response?.["@type"] ?? null,
  };
}

/** By the `status` of an AIP-193 body: the google.rpc code numbers. */
const codeNames =
  "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED".split(
    " ",
  );

/** What an AIP-193 body tells; throws if it is none. */
export function failureOfRest(
  httpStatus: number,
  text: string,
  headers: Record<string, string>,
): CallFailure {
  const { error } = JSON.parse(text) as {
    error: { code: number; message: string; status: string; details: JsonDetail[] };
  };
  if (error.code !== httpStatus)
    throw new Error(`error.code ${error.code} is not the HTTP status ${httpStatus}`);
  const find = (type: string): JsonDetail | undefined =>
    error.details.find((detail) => detail["@type"].endsWith(`.${type}`));
  const info = find("ErrorInfo");
  return new CallFailure({
    message: error.message,
    code: codeNames.indexOf(error.status),
    reason: info?.reason ?? "",
    domain: info?.domain ?? "",
    metadata: info?.metadata ?? {},
    fields: find("BadRequest")?.fieldViolations?.map(({ field }) => field ?? "") ?? [],
    hasRetryInfo: find("RetryInfo") !== undefined,
    detailTypes: error.details.map((detail) => detail["@type"]),
    httpStatus,
    headers,
  });
}

/** The client over fetch. */
export function restLroClient(url: string): LroClient {
  const send = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ text: string; headers: Headers }> => {
    const init: RequestInit = { method };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { "content-type": "application/json" };
    }
    const response = await fetch(`${url}/v1/${path}`, init);
    const text = await response.text();
    if (!response.ok) throw failureOfRest(response.status, text, Object.fromEntries(response.headers));
    return { text, headers: response.headers };
  };
  const operation = async (method: string, path: string, body?: unknown): Promise<SeenOperation> =>
    seenJson(JSON.parse((await send(method, path, body)).text) as JsonOperation);
  return {
    transport: "rest",
    get: (name) => operation("GET", name),
    async list({ name = "operations", ...query } = {}) {
      const search = new URLSearchParams(
        Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]),
      );
      const collection = name === "operations" ? name : `${name}/operations`;
      const page = JSON.parse((await send("GET", `${collection}?${search}`)).text) as {
        operations?: JsonOperation[];
        nextPageToken?: string;
        unreachable?: string[];
      };
      if (page.unreachable) throw new Error("unreachable is never emitted");
      return {
        names: (page.operations ?? []).map(({ name: each }) => each ?? ""),
        nextPageToken: page.nextPageToken ?? "",
      };
    },
    wait: (name, timeoutMs) =>
      operation("POST", `${name}:wait`, timeoutMs === undefined ? {} : { timeout: `${timeoutMs / 1000}s` }),
    async cancel(name) {
      const { text, headers } = await send("POST", `${name}:cancel`, {});
      if (text !== "{}") throw new Error(`Empty is ${text}`);
      return headers.get("belay-cancel-verdict") ?? "";
    },
    async delete(name) {
      const { text } = await send("DELETE", name);
      if (text !== "{}") throw new Error(`Empty is ${text}`);
    },
  };
}
