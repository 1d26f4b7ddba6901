// One gRPC connection: calls of protobuf-es methods, unary and server streaming, with an AbortSignal. Only a
// call that an overloaded server refused is sent again (overload-retry.ts).
import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { wallClockInstant } from "../base/clock.ts";
import { whileOverloaded } from "./overload-retry.ts";
import { formatServerAddress, parseServerAddress } from "./server-address.ts";
import { fromServiceError } from "./service-error.ts";

/** A stored operation is at most 1 MiB and a List page 2 MiB; the rest is room for both to grow. */
const MESSAGE_MAX_BYTES = 16 * 1024 * 1024;

/** Messages within messages: JSON 100 levels deep takes 200, and an Operation holds it. */
const RECURSION_MAX = 256;

const KEEPALIVE_MS = 20_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

const emptyReply: ServiceError = Object.assign(new Error("the call ended without a reply"), {
  code: status.INTERNAL,
  details: "the call ended without a reply",
  metadata: new Metadata(),
});

export interface RpcCallOptions {
  /** The call's deadline, in milliseconds from now. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** False: a refusal for overload is told at once. Default true. */
  isRetried?: boolean;
}

/** How often a call that is refused for overload is sent again. */
export const OVERLOAD_RETRIES = 4;

/** A lazily connected channel to one server. */
export class RpcChannel {
  /** `host:port`, for messages. */
  readonly address: string;
  readonly #client: Client;
  readonly #token: (() => string) | undefined;
  readonly #overloadRetries: number;
  #hasAnswered = false;

  /** `token` is asked before each call for what goes into its authorization header. */
  constructor(text: string, token?: () => string, overloadRetries: number = OVERLOAD_RETRIES) {
    this.#token = token;
    this.#overloadRetries = overloadRetries;
    const address = parseServerAddress(text);
    this.address = formatServerAddress(address);
    // Whom to trust is said by the environment: GRPC_DEFAULT_SSL_ROOTS_FILE_PATH, else Node's own list with
    // NODE_EXTRA_CA_CERTS.
    const channelCredentials = address.isTls ? credentials.createSsl() : credentials.createInsecure();
    this.#client = new Client(this.address, channelCredentials, {
      "grpc.max_receive_message_length": MESSAGE_MAX_BYTES,
      // A proxy of the environment is for the web: it could not reach this machine's own loopback.
      "grpc.enable_http_proxy": 0,
      // A watch may be silent for hours: a peer that is gone without a word is found out by this.
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    });
  }

  /** True once a unary call was answered: there is a server. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /** Rejects with a BelayError, or with the signal's reason. */
  call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
    options: RpcCallOptions,
  ): Promise<MessageShape<Output>> {
    const retries = options.isRetried === false ? 0 : this.#overloadRetries;
    return whileOverloaded((once) => this.#callOnce(method, request, once), options, retries);
  }

  #callOnce<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
    options: RpcCallOptions,
  ): Promise<MessageShape<Output>> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const call = this.#client.makeUnaryRequest(
        `/${method.parent.typeName}/${method.name}`,
        (message: MessageShape<Input>) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes, { recursionLimit: RECURSION_MAX }),
        create(method.input, request),
        this.#metadata(),
        // grpc-js compares a deadline with the wall clock at once and then counts down.
        { deadline: new Date(wallClockInstant() / 1000 + options.timeoutMs) },
        (error: ServiceError | null, reply?: MessageShape<Output>) => {
          signal?.removeEventListener("abort", onAbort);
          if (reply) this.#hasAnswered = true;
          // A reply that won the race against the abort is told: what it says was done, was done.
          if (reply) resolve(reply);
          else if (signal?.aborted) reject(signal.reason);
          else reject(fromServiceError(error ?? emptyReply, this.address));
        },
      );
      const onAbort = (): void => call.cancel();
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /**
   * Opens a stream of the server's messages, which are read as fast as they are taken. It throws a BelayError, or the
   * signal's reason; leaving the loop ends the call. There is no deadline.
   */
  async *stream<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodServerStreaming<Input, Output>,
    request: MessageInitShape<Input>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<MessageShape<Output>, void, undefined> {
    signal?.throwIfAborted();
    const call = this.#client.makeServerStreamRequest(
      `/${method.parent.typeName}/${method.name}`,
      (message: MessageShape<Input>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes, { recursionLimit: RECURSION_MAX }),
      create(method.input, request),
      this.#metadata(),
    );
    const onAbort = (): void => call.cancel();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      for await (const message of call) yield message as MessageShape<Output>;
      // An abort that came with the last message ends the stream like any other end.
      signal?.throwIfAborted();
    } catch (error) {
      signal?.throwIfAborted();
      throw isServiceError(error) ? fromServiceError(error, this.address) : error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      call.cancel();
    }
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    if (!this.#token) return metadata;
    const token = this.#token();
    // grpc-js would tell the whole value in its error.
    if (!/^[\x21-\x7e]+$/.test(token))
      throw new TypeError("the token has a character that no header can carry");
    metadata.set("authorization", `Bearer ${token}`);
    return metadata;
  }

  /** Closes the connection; calls in flight fail. */
  close(): void {
    this.#client.close();
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;
}
