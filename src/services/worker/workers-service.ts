// belay.v1.Workers: how workers of other processes take work. One bidirectional stream a worker.
import type { Logger } from "../../base/logger.ts";
import type { Engine } from "../../engine/engine.ts";
import { type ServerMessage, type WorkerMessage, Workers } from "../../protocol/gen/belay/v1/workers_pb.ts";
import type { StreamingServiceDefinition, StreamMethod } from "../stream-method.ts";
import type { FindStartRules } from "./child-starts.ts";
import type { PayloadCodec } from "./payload-codec.ts";
import { WorkerStream } from "./worker-stream.ts";

export interface WorkersServiceOptions {
  /** Knows the payloads of the server's services. */
  codec: PayloadCodec;
  /** What the children of a handler may be. */
  rulesOf: FindStartRules;
  logger: Logger;
}

/** The service. Who may open a stream is asked before (kind `work`); for which types, when the worker says hello. */
export function createWorkersService(
  engine: Engine,
  options: WorkersServiceOptions,
): StreamingServiceDefinition {
  const connect: StreamMethod<WorkerMessage, ServerMessage> = {
    desc: Workers.method.connect,
    kind: "work",
    open: (responses, context) => new WorkerStream({ ...options, engine, responses, context }),
  };
  return { desc: Workers, methods: [], streams: [connect as StreamMethod] };
}
