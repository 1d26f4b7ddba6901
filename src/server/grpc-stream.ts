// Runs a streaming method on a grpc-js stream. A server stream is served as a two-way one: on the wire they are alike.
import { type Message, toBinary } from "@bufbuild/protobuf";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { RpcError } from "../base/rpc-error.ts";
import { decodeRequest } from "../protocol/binary-request.ts";
import type { StreamMethod } from "../services/stream-method.ts";
import { toServiceError } from "./grpc-errors.ts";
import { nextRequestId } from "./request-id.ts";

/** Opens the method on the call and keeps both sides in step. */
export function runStream(method: StreamMethod, call: ServerDuplexStream<Buffer, Buffer>): void {
  const { input, output } = method.desc;
  let isOver = false;
  const end = (error?: RpcError): void => {
    if (isOver) return;
    isOver = true;
    if (error) call.emit("error", toServiceError(error, undefined));
    else call.end();
  };
  const send = (response: Message): void => {
    if (isOver) return;
    const bytes = toBinary(output, response);
    // A client that does not read is not read from either, so nothing piles up.
    if (!call.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))) call.pause();
  };
  const requests = method.open({ send, end }, call.getHost());
  call.on("drain", () => call.resume());
  call.on("data", (bytes: Buffer) => {
    if (isOver) return;
    try {
      requests.received(decodeRequest(input, bytes));
    } catch (error) {
      end(RpcError.from(error, nextRequestId()));
    }
  });
  call.on("end", () => {
    if (!isOver) requests.finished();
  });
  call.on("cancelled", () => {
    isOver = true;
    requests.gone();
  });
}
