// One stream of belay.v1.Workers on a connection of its own: after a partition nothing of the old connection is used
// again. What is said on it is the session's matter (remote-connection-session.ts).
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { BelayError } from "../client/belay-error.ts";
import { formatServerAddress, parseServerAddress } from "../client/server-address.ts";
import { fromServiceError } from "../client/service-error.ts";
import {
  type ServerMessage,
  ServerMessageSchema,
  type WorkerMessage,
  WorkerMessageSchema,
  Workers,
} from "../protocol/gen/belay/v1/workers_pb.ts";

/** An assignment holds a request of at most 256 KiB of JSON and a checkpoint of as much; a heartbeat reply every cancel. */
const MESSAGE_MAX_BYTES = 64 * 1024 * 1024;

/** JSON 100 levels deep takes 200. */
const RECURSION_MAX = 256;

/** A WorkerMessage without its frame. */
export type WorkerMessageInit = NonNullable<MessageInitShape<typeof WorkerMessageSchema>["message"]>;

export interface StreamOptions {
  /** As parseServerAddress takes it. */
  server: string;
  token: string | (() => string) | undefined;
  /** A connection that says nothing for so long is asked whether it lives, and given up after as long again. */
  keepaliveMs: number;
  received(message: ServerMessage["message"]): void;
  /** Called once; null where the server ended the stream with OK. */
  ended(error: BelayError | null): void;
}

export class RemoteStream {
  readonly #client: Client;
  readonly #call: ClientDuplexStream<WorkerMessage, ServerMessage>;
  #isOver = false;

  /** Throws a TypeError for an address or a token that cannot be one. */
  constructor(options: StreamOptions) {
    const address = parseServerAddress(options.server);
    const target = formatServerAddress(address);
    this.#client = new Client(
      target,
      address.isTls ? credentials.createSsl() : credentials.createInsecure(),
      {
        "grpc.max_receive_message_length": MESSAGE_MAX_BYTES,
        "grpc.enable_http_proxy": 0,
        "grpc.keepalive_time_ms": Math.round(options.keepaliveMs),
        "grpc.keepalive_timeout_ms": Math.round(options.keepaliveMs),
        "grpc.use_local_subchannel_pool": 1,
        "grpc.enable_retries": 0,
      },
    );
    const { connect } = Workers.method;
    const call = this.#client.makeBidiStreamRequest(
      `/${connect.parent.typeName}/${connect.name}`,
      (message: WorkerMessage) => Buffer.from(toBinary(WorkerMessageSchema, message)),
      (bytes: Buffer) =>
        fromBinary(ServerMessageSchema, bytes, { recursionLimit: RECURSION_MAX, readUnknownFields: false }),
      metadataOf(options.token),
    );
    this.#call = call;
    call.on("data", ({ message }: ServerMessage) => {
      if (!this.#isOver) options.received(message);
    });
    const over = (error: BelayError | null): void => {
      if (this.#isOver) return;
      this.close();
      options.ended(error);
    };
    call.on("error", (error: ServiceError) => over(fromServiceError(error, target)));
    call.on("end", () => setImmediate(over, null)); // an error comes after the end
  }

  send(message: WorkerMessageInit): void {
    if (!this.#isOver) this.#call.write(create(WorkerMessageSchema, { message }));
  }

  /** Ends the stream on this side; `ended` is not called any more. What was sent may be lost. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call.cancel();
    this.#client.close();
  }
}

function metadataOf(token: StreamOptions["token"]): Metadata {
  const metadata = new Metadata();
  if (token === undefined) return metadata;
  const text = typeof token === "function" ? token() : token;
  // grpc-js would tell the whole value in its error.
  if (!/^[\x21-\x7e]+$/.test(text)) throw new TypeError("the token has a character that no header can carry");
  metadata.set("authorization", `Bearer ${text}`);
  return metadata;
}
