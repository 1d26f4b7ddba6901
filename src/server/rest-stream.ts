// A streaming method on REST, as server-sent events (WHATWG HTML, 9.2) over HTTP/1.1. One event a message: its id is
// what the client sends back as `Last-Event-ID` when it comes again.
import type { ServerResponse } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import type { RpcError } from "../base/rpc-error.ts";
import { startInterval, startTimer, type Timer } from "../base/timers.ts";
import { messageToJson } from "../protocol/any.ts";
import { statusJson } from "../protocol/status.ts";
import { shapeResponse } from "../transcoding/response-shaping.ts";
import { defaultSystemParameters, type SystemParameters } from "../transcoding/system-parameters.ts";
import type { BoundStream } from "./bound-method.ts";
import type { OpenStreams } from "./open-streams.ts";
import { checkMatchReach, type RestCallParts, readRequestBody } from "./rest-call.ts";
import { replyTo } from "./rest-errors.ts";
import { RECONNECT_DELAY_MS, StreamCall } from "./stream-call.ts";

/** How often a silent stream says that it lives: proxies end what says nothing for a minute. */
const HEARTBEAT_MS = 15_000;

/** The answer begins with the first event, or after this time: until then an error is an ordinary one. */
const HEAD_DELAY_MS = 500;

const eventHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  // nginx gathers what it passes on, unless it is told not to.
  "x-accel-buffering": "no",
};

export class RestStreamCall extends StreamCall {
  readonly transport = "rest";
  readonly deadlineMs: number = Number.POSITIVE_INFINITY;
  readonly #parts: RestCallParts<BoundStream>;
  readonly #raw: ServerResponse;
  #system: SystemParameters = defaultSystemParameters;
  #peer: string | undefined;
  #hasHead = false;
  #timers: Timer[] = [];

  constructor(parts: RestCallParts<BoundStream>, streams: OpenStreams) {
    super(parts.match.value, streams);
    this.#parts = parts;
    this.#raw = parts.reply.raw;
  }

  get requestId(): string {
    return this.#parts.request.id;
  }

  get authority(): string | undefined {
    return this.#parts.request.headers.host;
  }

  get peer(): string {
    const { remoteAddress, remotePort } = this.#parts.request.raw.socket;
    this.#peer ??= `${remoteAddress}:${remotePort}`;
    return this.#peer;
  }

  get isGone(): boolean {
    return this.#raw.destroyed;
  }

  header(name: string): string | undefined {
    const value = this.#parts.request.headers[name];
    return typeof value === "string" ? value : undefined;
  }

  headerValues(name: string): readonly string[] {
    return this.#parts.request.raw.headersDistinct[name] ?? [];
  }

  invoke(): Promise<void> {
    const { transcoder, match } = this.#parts;
    checkMatchReach(this, match);
    const { request, system } = transcoder.transcode(match, readRequestBody(this.#parts));
    // An event is one line of JSON.
    this.#system = { ...system, prettyPrint: false };
    this.#resume(request);
    const ended = this.open();
    this.#raw.once("close", () => this.leave());
    this.#timers = [
      startTimer(HEAD_DELAY_MS, () => this.#begin(), { unref: true }),
      startInterval(HEARTBEAT_MS, () => this.#beat(), { unref: true }),
    ];
    this.take(() => request);
    this.takeEnd();
    if (this.#raw.destroyed) this.leave();
    return ended.finally(() => {
      for (const timer of this.#timers) timer.cancel();
    });
  }

  onCallerGone(callback: () => void): void {
    const notify = (): void => {
      if (!this.isOver) callback();
    };
    if (this.#raw.destroyed) notify();
    else this.#raw.once("close", notify);
  }

  setHeader(name: string, value: string): void {
    this.#parts.reply.header(name, value);
  }

  setTrailer(name: string, value: string): void {
    this.#parts.reply.header(name, value);
  }

  answer(): void {
    this.#begin();
    this.#raw.end();
  }

  fail(error: RpcError): void {
    const { reply } = this.#parts;
    if (!this.#hasHead) {
      const { declaration } = this.method;
      const { httpStatus, headers, body } = replyTo(error, declaration.dialect, this.requestId);
      reply.code(httpStatus).headers(headers).send(body);
      return;
    }
    const { retryDelayMs = 0 } = error;
    const retry = retryDelayMs > 0 ? `retry: ${Math.round(retryDelayMs)}\n\n` : "";
    // A server that stops is no error of the stream: the client comes back with the last id.
    if (error.reason === "SHUTTING_DOWN") this.#raw.end(retry);
    else this.#raw.end(`${retry}event: error\ndata: ${JSON.stringify(statusJson(error))}\n\n`);
  }

  protected encode(response: Message): Uint8Array {
    const { match } = this.#parts;
    const { service, declaration } = this.method;
    const json = JSON.stringify(messageToJson(service.desc.output, response, declaration.registry));
    const text = shapeResponse(json, match.desc.output, match.binding, this.#system);
    const id = service.eventId?.(response) ?? "";
    return Buffer.from(`${id === "" ? "" : `id: ${id}\n`}data: ${text}\n\n`);
  }

  protected write(bytes: Uint8Array, taken: () => void): void {
    this.#begin();
    this.#raw.write(bytes, taken);
  }

  /** The header knows better than the address, which a client repeats as it was first. */
  #resume(request: Message): void {
    const lastEventId = this.header("last-event-id");
    if (lastEventId === undefined || lastEventId === "") return;
    const field = this.method.service.desc.input.fields.find(({ name }) => name === "resume_token");
    if (field) (request as unknown as Record<string, unknown>)[field.localName] = lastEventId;
  }

  /** Sends the head; from now on errors are events. */
  #begin(): void {
    if (this.#hasHead || this.#raw.destroyed) return;
    this.#hasHead = true;
    const { reply } = this.#parts;
    reply.hijack();
    this.#raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...eventHeaders });
    this.#raw.write(`retry: ${RECONNECT_DELAY_MS}\n\n`);
  }

  #beat(): void {
    if (this.#hasHead && !this.hasEnded && !this.outlet.isFull) this.#raw.write(": \n\n");
  }
}
