// Calls of belay.v1.Operations from a driver process, with nothing between it and grpc-js.
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import {
  BatchStartOperationsRequestSchema,
  BatchStartOperationsResponseSchema,
} from "../../src/protocol/gen/belay/v1/operations_pb.ts";

/** At most so many starts in one call. */
const BATCH_MAX = 500;

export class NativeClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  }

  call<I extends DescMessage, O extends DescMessage>(
    method: string,
    input: I,
    output: O,
    request: MessageShape<I>,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/belay.v1.Operations/${method}`,
        (message: MessageShape<I>) => Buffer.from(toBinary(input, message)),
        (bytes: Buffer) => fromBinary(output, bytes),
        request,
        (error, reply) => (error ? reject(error) : resolve(reply as MessageShape<O>)),
      );
    });
  }

  /** Starts so many operations of one type; answers their names. */
  async start(type: string, count: number): Promise<string[]> {
    const names: string[] = [];
    while (names.length < count) {
      const requests = Array.from({ length: Math.min(BATCH_MAX, count - names.length) }, () => ({ type }));
      const request = create(BatchStartOperationsRequestSchema, { requests });
      const schemas = [BatchStartOperationsRequestSchema, BatchStartOperationsResponseSchema] as const;
      const { results } = await this.call("BatchStartOperations", ...schemas, request);
      for (const { result } of results) {
        if (result.case !== "operation") throw new Error(`a start was refused: ${result.value?.message}`);
        names.push(result.value.name);
      }
    }
    return names;
  }

  close(): void {
    this.#client.close();
  }
}
