// For recognize.test.ts: runs the handler in a thread and ends by itself when nothing is left in it. It tells each
// checkpoint, and at the end whether the handler failed with the very reason of the abort.
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import type { JsonObject, OperationContext } from "belayd/worker";
import { handler } from "./recognize.ts";

const port = parentPort;
if (!port) throw new Error("recognize-thread.fixture.ts runs in a thread only");
const controller = new AbortController();
const reason = new Error("stop");
void once(port, "message").then(() => controller.abort(reason));

const context: OperationContext = {
  name: "operations/ocr",
  type: "ocr.recognize",
  attempt: 1,
  createdBy: "test",
  checkpointed: null,
  signal: controller.signal,
  progress: () => {},
  checkpoint: async (state) => port.postMessage({ checkpoint: state }),
  log: () => {},
};

try {
  await handler(context, workerData as JsonObject);
} catch (error) {
  port.postMessage({ isReason: error === reason });
}
