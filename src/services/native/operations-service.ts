// belay.v1.Operations of one service, put together: each group of methods has a file of its own.
import type { Engine } from "../../engine/engine.ts";
import { Operations } from "../../protocol/gen/belay/v1/operations_pb.ts";
import type { StreamingServiceDefinition } from "../stream-method.ts";
import { cancelOperation } from "./cancel-operation.ts";
import { cancelOperations } from "./cancel-operations/cancel-operations.ts";
import { changeMethods } from "./change-operations.ts";
import { explainOperation } from "./explain/explain-operation.ts";
import { exportReceipts } from "./export-receipts.ts";
import { listWorkers } from "./list-workers.ts";
import { readMethods } from "./read-operations.ts";
import { startMethods } from "./start-operations.ts";
import type { StartRules } from "./start-request.ts";
import { createWatchMethod } from "./watch-operations.ts";

export { createStarterService } from "./start-operations.ts";

/** belay.v1.Operations of one service. */
export function createNativeOperationsService(engine: Engine, rules: StartRules): StreamingServiceDefinition {
  const { declaration } = rules;
  return {
    desc: Operations,
    methods: [
      ...startMethods(engine, rules),
      ...readMethods(engine, declaration),
      ...changeMethods(engine, declaration),
      cancelOperation(engine, declaration),
      cancelOperations(engine, declaration),
      explainOperation(engine, declaration),
      listWorkers(engine, declaration),
      exportReceipts(engine, declaration),
    ],
    streams: [createWatchMethod(engine, declaration)],
  };
}
