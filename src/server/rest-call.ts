// A REST call: how the pipeline reads and answers it through fastify.
import type { FastifyReply, FastifyRequest } from "fastify";
import type { RpcError } from "../base/rpc-error.ts";
import { checkReach } from "../services/access.ts";
import { shapeResponse } from "../transcoding/response-shaping.ts";
import type { SystemParameters } from "../transcoding/system-parameters.ts";
import type { Transcoder, TranscoderMatch } from "../transcoding/transcoder.ts";
import type { BoundCallable, BoundMethod } from "./bound-method.ts";
import { checkContentType, decodeBody } from "./rest-body.ts";
import { replyTo } from "./rest-errors.ts";
import { ServerCall } from "./server-call.ts";

const NO_BODY: Uint8Array = new Uint8Array(0);

/** What a call is made of: the route is known, the body has arrived. */
export interface RestCallParts<Method extends BoundCallable = BoundMethod> {
  transcoder: Transcoder<BoundCallable>;
  match: TranscoderMatch<Method>;
  request: FastifyRequest;
  reply: FastifyReply;
  /** The limit of a body that is inflated. */
  bodyBytesMax: number;
}

/** The body of a request, as our own body parser leaves it. */
function bodyOf(request: FastifyRequest): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : NO_BODY;
}

/** Before the body is looked at: a caller who may not reach the name learns nothing else (AIP-211). */
export function checkMatchReach(call: ServerCall, match: TranscoderMatch<BoundCallable>): void {
  const { declaration, kind } = call.method;
  if (call.principal.grants === null || declaration.dialect === "yandex") return;
  const index = match.binding.variables.findIndex(({ text }) => text === "name" || text === "parent");
  const resource = match.captures[index];
  if (resource === undefined) return;
  checkReach(call, kind, kind === "list" ? resource.replace(/\/operations$/, "") : resource);
}

/** The body without its encoding. Throws CONTENT_TYPE_REFUSED, ENCODING_REFUSED, PAYLOAD_TOO_LARGE, INVALID_JSON. */
export function readRequestBody({
  request,
  bodyBytesMax,
}: Pick<RestCallParts, "request" | "bodyBytesMax">): Uint8Array {
  const body = bodyOf(request);
  if (body.length === 0) return body;
  checkContentType(request.headers);
  return decodeBody(body, request.headers, bodyBytesMax);
}

export class RestCall extends ServerCall<BoundMethod> {
  readonly transport = "rest";
  // HTTP/1.1 has no deadlines: a client that gives up closes its connection.
  readonly deadlineMs: number = Number.POSITIVE_INFINITY;
  readonly #parts: RestCallParts;
  #system: SystemParameters | undefined;
  #peer: string | undefined;
  #headers: Record<string, string> | undefined;

  constructor(parts: RestCallParts) {
    super(parts.match.value);
    this.#parts = parts;
  }

  get requestId(): string {
    return this.#parts.request.id;
  }

  get authority(): string | undefined {
    return this.#parts.request.headers.host;
  }

  get peer(): string {
    const { remoteAddress, remotePort } = this.#parts.request.raw.socket;
    // Kept from the first look: a closed socket no longer knows its peer.
    this.#peer ??= `${remoteAddress}:${remotePort}`;
    return this.#peer;
  }

  get isGone(): boolean {
    return this.#parts.reply.raw.destroyed;
  }

  header(name: string): string | undefined {
    const value = this.#parts.request.headers[name];
    return typeof value === "string" ? value : undefined;
  }

  headerValues(name: string): readonly string[] {
    return this.#parts.request.raw.headersDistinct[name] ?? [];
  }

  invoke(): unknown {
    const { transcoder, match } = this.#parts;
    checkMatchReach(this, match);
    const transcoded = transcoder.transcode(match, readRequestBody(this.#parts));
    this.#system = transcoded.system;
    return this.method.service.invoke(transcoded.request, this);
  }

  onCallerGone(callback: () => void): void {
    // "close" comes after every reply, sent ones too.
    const notify = (): void => {
      if (!this.isOver) callback();
    };
    const { raw } = this.#parts.reply;
    if (raw.destroyed) notify();
    else raw.once("close", notify);
  }

  setHeader(name: string, value: string): void {
    this.#headers ??= {};
    this.#headers[name] = value;
  }

  setTrailer(name: string, value: string): void {
    this.#parts.reply.header(name, value);
  }

  answer(reply: unknown): void {
    const { match } = this.#parts;
    const text = this.method.service.encodeJson(reply);
    const system = this.#system;
    const shaped = system ? shapeResponse(text, match.desc.output, match.binding, system) : text;
    if (this.#headers) this.#parts.reply.headers(this.#headers);
    this.#parts.reply.header("content-type", "application/json; charset=utf-8").send(shaped);
  }

  fail(error: RpcError): void {
    const { httpStatus, headers, body } = replyTo(error, this.method.declaration.dialect, this.requestId);
    this.#parts.reply.code(httpStatus).headers(headers).send(body);
  }
}
