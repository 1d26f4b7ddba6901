// For the examples' tests: runs one handler in a thread and ends by itself when nothing is left in it. `workerData` is
// `{module, input}`. It tells each progress and checkpoint, and at the end whether the handler failed with the very
// reason of the abort, which any message to it brings.
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import type { InlineHandler, JsonObject } from "belayd/worker";

/** What the thread posts. */
export type ThreadNews =
  | { progress: [percent: number, message: string] }
  | { checkpoint: JsonObject }
  | { isReason: boolean };

const port = parentPort;
if (!port) throw new Error("handler-thread.fixture.ts runs in a thread only");
const { module, input } = workerData as { module: string; input: JsonObject };
const { handler } = (await import(module)) as { handler: InlineHandler };
const controller = new AbortController();
const reason = new Error("stop");
void once(port, "message").then(() => controller.abort(reason));
const tell = (news: ThreadNews): void => port.postMessage(news);

try {
  await handler(
    {
      name: "operations/example",
      type: "example",
      attempt: 1,
      createdBy: "test",
      checkpointed: null,
      signal: controller.signal,
      progress: (percent, message = "") => tell({ progress: [percent, message] }),
      checkpoint: async (state) => tell({ checkpoint: state }),
      log: () => {},
      critical: async (_reason, work) => await work(),
      onCleanup: () => {},
      start: () => Promise.reject(new Error("no children here")),
    },
    input,
  );
} catch (error) {
  tell({ isReason: error === reason });
}
