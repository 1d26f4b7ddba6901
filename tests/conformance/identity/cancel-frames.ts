// CancelOperation as HTTP/2 frames written by hand: no client library sends the same header twice where it may come once.
import { once } from "node:events";
import { connect } from "node:net";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA = 0;
const HEADERS = 1;
const SETTINGS = 4;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;

/** RFC 9113, 4.1. */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** RFC 7541, 5.2: a string of at most 126 bytes, not Huffman-coded. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  if (bytes.length > 126)
    throw new RangeError(`${value} is ${bytes.length} bytes long; at most 126 are written`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/** RFC 7541, 6.2.2: a literal field with a new name, not indexed. */
function field(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

/** Sends one call, and resolves when its stream has ended: with a HEADERS frame that says END_STREAM. */
export async function sendCancelFrames(
  port: number,
  name: string,
  authorization: readonly string[],
): Promise<void> {
  const block = Buffer.concat([
    field(":method", "POST"),
    field(":scheme", "http"),
    field(":path", "/google.longrunning.Operations/CancelOperation"),
    field(":authority", "localhost"),
    field("content-type", "application/grpc"),
    field("te", "trailers"),
    ...authorization.map((value) => field("authorization", value)),
  ]);
  const message = Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]);
  const prefix = Buffer.from([0, 0, 0, 0, message.length]);
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  socket.write(
    Buffer.concat([
      Buffer.from(PREFACE),
      frame(SETTINGS, 0, 0, Buffer.alloc(0)),
      frame(HEADERS, END_HEADERS, 1, block),
      frame(DATA, END_STREAM, 1, Buffer.concat([prefix, message])),
    ]),
  );
  let received = Buffer.alloc(0);
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk as Buffer]);
    if (hasEnded(received)) return;
  }
  throw new Error("the connection was closed before the call was answered");
}

function hasEnded(received: Buffer): boolean {
  let offset = 0;
  while (offset + 9 <= received.length) {
    const length = received.readUIntBE(offset, 3);
    const [type, flags] = [received[offset + 3], received[offset + 4] ?? 0];
    if (offset + 9 + length > received.length) return false;
    if (type === HEADERS && (flags & END_STREAM) !== 0) return true;
    offset += 9 + length;
  }
  return false;
}
