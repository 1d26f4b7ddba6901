// WatchOperations on either transport, in the same words: ProtoJSON messages in the order in which they came. gRPC by grpc-js,
// server-sent events by node:http and the rules of the HTML standard. It says what came and judges nothing.
import { type ClientRequest, get, type IncomingMessage } from "node:http";
import { create, fromBinary, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { messageToJson } from "../../../src/protocol/any.ts";
import {
  WatchOperationsRequestSchema,
  WatchOperationsResponseSchema,
} from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { baseTypeRegistry } from "../../../src/protocol/type-registry.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import {
  errorOfGrpc,
  readText,
  restReply,
  type WireClient,
  type WireDetail,
  type WireError,
  wireError,
} from "./wire-client.ts";

export interface WatchEvent extends JsonObject {
  name: string;
  state: string;
  etag: string;
}

/** A WatchOperationsResponse in ProtoJSON. */
export interface WatchMessage extends JsonObject {
  resumeToken: string;
}

/** One watch, from its request to its end. */
export class OpenWatch {
  readonly messages: WatchMessage[] = [];
  /** Resolves with the error that ended it, or null. */
  readonly ended: Promise<WireError | null>;
  readonly #close: () => void;

  constructor(
    open: (onMessage: (message: JsonObject) => void, onEnd: (error: WireError | null) => void) => () => void,
  ) {
    const { promise, resolve } = Promise.withResolvers<WireError | null>();
    this.ended = promise;
    this.#close = open((message) => this.messages.push(message as WatchMessage), resolve);
  }

  get events(): WatchEvent[] {
    return this.messages.flatMap(({ event }) => (event ? [event as unknown as WatchEvent] : []));
  }

  /** The newest token that it has read; "" for none. */
  get token(): string {
    return this.messages.findLast(({ resumeToken }) => resumeToken)?.resumeToken ?? "";
  }

  /** Name, etag and state of each event: what is the same however it was read. */
  get told(): string[] {
    return this.events.map(({ name, etag, state }) => `${name} ${etag} ${state}`);
  }

  /** Resolves when the watch has begun: its first message has come. */
  async begun(): Promise<this> {
    await this.until("the first message", () => this.messages.length > 0);
    return this;
  }

  async until(what: string, isThere: () => boolean): Promise<void> {
    await eventually(`a watch tells ${what}`, isThere, { timeoutMs: 20_000 });
  }

  /** Resolves when it has told this state of an operation. */
  async tells(name: string, state: string): Promise<void> {
    await this.until(`${name} ${state}`, () =>
      this.events.some((event) => event.name === name && event.state === state),
    );
  }

  close(): void {
    this.#close();
  }
}

/** Opens a watch. Over REST the token goes as Last-Event-ID, as a browser sends it. */
export function openWatch(
  client: WireClient,
  transport: "grpc" | "rest",
  request: JsonObject = {},
): OpenWatch {
  return transport === "grpc" ? openGrpcWatch(client, request) : openEventSource(client, request);
}

function openGrpcWatch({ place, authorization }: WireClient, request: JsonObject): OpenWatch {
  return new OpenWatch((onMessage, onEnd) => {
    const client = new Client(new URL(place.url).host, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      ...(place.authority !== null && { "grpc.default_authority": place.authority }),
    });
    const metadata = new Metadata();
    if (authorization !== null) metadata.set("authorization", authorization);
    const same = (bytes: Buffer): Buffer => bytes;
    const schema = WatchOperationsRequestSchema;
    const bytes = Buffer.from(toBinary(schema, fromJson(schema, request)));
    const call = client.makeServerStreamRequest(
      "/belay.v1.Operations/WatchOperations",
      same,
      same,
      bytes,
      metadata,
    );
    call.on("data", (chunk: Buffer) => {
      const message = fromBinary(WatchOperationsResponseSchema, chunk);
      onMessage(
        messageToJson(
          WatchOperationsResponseSchema,
          create(WatchOperationsResponseSchema, message),
          baseTypeRegistry,
        ) as JsonObject,
      );
    });
    call.on("error", (error: ServiceError) => {
      onEnd(errorOfGrpc(error, error.metadata ?? new Metadata()));
      client.close();
    });
    call.on("end", () => {
      setImmediate(() => onEnd(null));
      client.close();
    });
    return () => call.cancel();
  });
}

function openEventSource({ place, authorization }: WireClient, request: JsonObject): OpenWatch {
  const { parent = "", names = [], resumeToken, ...rest } = request;
  const query = new URLSearchParams(
    Object.entries(rest).map(([key, value]): [string, string] => [key, String(value)]),
  );
  for (const name of names as string[]) query.append("names", name);
  const collection = parent === "" ? "operations" : `${parent}/operations`;
  const headers = {
    accept: "text/event-stream",
    ...(place.authority !== null && { host: place.authority }),
    ...(authorization !== null && { authorization }),
    ...(resumeToken !== undefined && { "last-event-id": String(resumeToken) }),
  };
  return new OpenWatch((onMessage, onEnd) => {
    const url = `${place.url}/belay/v1/${collection}:watch?${query}`;
    const call: ClientRequest = get(url, { agent: false, headers }, (response) => {
      readEvents(response, onMessage).then(onEnd, () => onEnd(null));
    });
    call.on("error", () => onEnd(null));
    return () => call.destroy();
  });
}

/** Reads to the end; answers the error that was told. */
async function readEvents(
  response: IncomingMessage,
  onMessage: (message: JsonObject) => void,
): Promise<WireError | null> {
  if (response.statusCode !== 200) return restReply(response, await readText(response)).error;
  response.setEncoding("utf8");
  let rest = "";
  for await (const chunk of response) {
    const blocks = (rest + chunk).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = fieldsOf(block);
      const data = fields.get("data");
      if (data === undefined) continue; // a comment, or the hint when to come back
      const message = JSON.parse(data) as JsonObject;
      if (fields.get("event") === "error") {
        const { code, message: text, details } = message;
        return wireError(Number(code), String(text), (details ?? []) as WireDetail[]);
      }
      const id = fields.get("id") ?? "";
      if (id !== (message["resumeToken"] ?? "")) throw new Error(`the id ${id} is not the token of ${data}`);
      onMessage(message);
    }
  }
  return null;
}

function fieldsOf(block: string): Map<string, string> {
  return new Map(
    block.split("\n").map((line): [string, string] => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
}
