// A gRPC server whose methods are scripted by a test, and a client of it.
import type { TestContext } from "node:test";
import {
  create,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type status,
} from "@grpc/grpc-js";
import { ErrorInfoSchema } from "../protocol/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../protocol/gen/google/rpc/status_pb.ts";
import { type BelayClient, connect } from "./client.ts";

/** One scripted method: answers a message, or throws a Refusal, or waits on a promise of either. */
interface ScriptedCall {
  onCancelled(callback: () => void): void;
}
type Script = (request: never, call: ScriptedCall) => unknown;

/** A server of scripted methods. */
export class Peer {
  readonly #server = new Server();
  readonly #methods: { [path: string]: object } = {};
  readonly #handlers: {
    [name: string]: handleUnaryCall<unknown, unknown> | handleServerStreamingCall<unknown, unknown>;
  } = {};
  port = 0;

  on<M extends DescMethodUnary>(
    method: M,
    script: (
      request: MessageShape<M["input"]>,
      call: ScriptedCall,
    ) => MessageInitShape<M["output"]> | Promise<MessageInitShape<M["output"]>>,
  ): this {
    const path = this.#declare(method);
    const handler: handleUnaryCall<unknown, unknown> = (call, callback) => {
      const scripted = { onCancelled: (f: () => void) => call.on("cancelled", f) };
      Promise.resolve()
        .then(() => (script as Script)(call.request as never, scripted))
        .then(
          (reply) => callback(null, create(method.output, reply as never)),
          (error) => callback(error),
        );
    };
    this.#handlers[path] = handler;
    return this;
  }

  /** A stream: the script sends messages, and returns or throws at its end. */
  onStream<M extends DescMethodServerStreaming>(
    method: M,
    script: (
      request: MessageShape<M["input"]>,
      send: (message: MessageInitShape<M["output"]>) => void,
    ) => Promise<void>,
  ): this {
    const path = this.#declare(method);
    const handler: handleServerStreamingCall<unknown, unknown> = (call) => {
      const send = (message: MessageInitShape<M["output"]>): void => {
        call.write(create(method.output, message));
      };
      script(call.request as never, send).then(
        () => call.end(),
        (error) => call.emit("error", error),
      );
    };
    this.#handlers[path] = handler;
    return this;
  }

  #declare(method: DescMethodUnary | DescMethodServerStreaming): string {
    const path = `/${method.parent.typeName}/${method.name}`;
    this.#methods[path] = {
      path,
      requestStream: false,
      responseStream: method.methodKind === "server_streaming",
      requestSerialize: (): Buffer => Buffer.alloc(0),
      responseDeserialize: (): unknown => undefined,
      requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
      responseSerialize: (message: unknown) => Buffer.from(toBinary(method.output, message as never)),
    };
    return path;
  }

  async listen(t: TestContext, port = 0): Promise<this> {
    this.#server.addService(this.#methods as never, this.#handlers);
    this.port = await new Promise((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    t.after(() => this.close());
    return this;
  }

  close(): void {
    this.#server.forceShutdown();
  }
}

/** A client of the peer, closed after the test. */
export function clientOf(t: TestContext, peer: { port: number }): BelayClient {
  const connected = connect(`127.0.0.1:${peer.port}`);
  t.after(() => connected.close());
  return connected;
}

/** What a script throws to refuse a call. */
export function refusal(code: status, reason: string, metadata: Record<string, string>): object {
  const info = create(ErrorInfoSchema, { reason, domain: "belayd", metadata });
  const details = create(StatusSchema, {
    code,
    message: "refused",
    details: [anyPack(ErrorInfoSchema, info)],
  });
  const trailers = new Metadata();
  trailers.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, details)));
  return Object.assign(new Error("refused"), { code, details: "refused", metadata: trailers });
}
