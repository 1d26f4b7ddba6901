// The thread's side of its calls: answers them one at a time, in the order they came.
import type { MessagePort } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { encodeError, type ThreadCall, type ThreadOpened, type ThreadReply } from "./thread-messages.ts";

type Call = (...args: never[]) => unknown;

/** What a thread serves; `idle` runs after each answer was sent. */
export interface ThreadService<Calls extends object> {
  calls: {
    [Method in keyof Calls]: Calls[Method] extends (...args: infer A) => infer R
      ? (...args: A) => R | Promise<R>
      : never;
  };
  idle?(): void;
}

/** Opens the service, says how that went, and serves it until `close` was answered. */
export function serveThread<Calls extends object, Value>(
  port: MessagePort,
  open: () => { service: ThreadService<Calls>; value: Value },
  lineOf: (error: unknown) => string,
): void {
  let opened: { service: ThreadService<Calls>; value: Value };
  try {
    opened = open();
  } catch (error) {
    port.postMessage({ type: "openFailed", line: lineOf(error) } satisfies ThreadOpened<Value>);
    port.close();
    return;
  }
  const { service, value } = opened;
  const calls = service.calls as unknown as Record<string, Call>;
  port.postMessage({ type: "opened", value } satisfies ThreadOpened<Value>);
  port.on("message", (call: ThreadCall) => void answer(port, calls, call, () => service.idle?.()));
}

async function answer(
  port: MessagePort,
  calls: Record<string, Call>,
  { id, method, args }: ThreadCall,
  idle: () => void,
): Promise<void> {
  const call = calls[method];
  assert(call !== undefined, `the thread has no call ${method}`);
  let reply: ThreadReply;
  try {
    // Awaited only where it is a promise: a commit is answered in the turn that it came in.
    const result = call(...(args as never[]));
    reply = { type: "reply", id, value: result instanceof Promise ? await result : result };
  } catch (error) {
    reply = { type: "error", id, error: encodeError(error) };
  }
  port.postMessage(reply);
  if (method === "close") port.close();
  else idle();
}
