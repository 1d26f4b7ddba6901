// Child processes of a benchmark: servers, peers and drivers each run in their own, and talk over IPC.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** A forked script that answers each request with one message. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** Sends a message and resolves with the next answer. */
  ask<Answer>(message: unknown): Promise<Answer>;
}

/** Forks a script and waits for its first message. */
export async function startChild<Ready>(
  script: URL,
  args: readonly string[] = [],
  execArgv: readonly string[] = [],
): Promise<{ child: Child; ready: Ready }> {
  const child: ChildProcess = fork(script, args, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: [
      ...process.execArgv,
      ...execArgv,
      "--disable-warning=DeprecationWarning",
      "--disable-warning=ExperimentalWarning",
    ],
  });
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`${script.pathname.split("/").at(-1)} exited with ${code}`);
  });
  failed.catch(() => {}); // looked at only while something is awaited
  const next = async (): Promise<unknown> =>
    ((await Promise.race([once(child, "message"), failed])) as [unknown])[0];
  const ready = (await next()) as Ready;
  return {
    ready,
    child: {
      pid: child.pid ?? 0,
      async ask<Answer>(message: unknown): Promise<Answer> {
        const answer = next();
        child.send(message as object);
        return (await answer) as Answer;
      },
      async [Symbol.asyncDispose]() {
        if (child.exitCode !== null || child.signalCode !== null) return; // it has failed, and said so
        const exited = once(child, "exit");
        child.kill("SIGKILL");
        await exited;
      },
    },
  };
}

/** In a child: answers every message of the parent; ends with the parent. */
export function answerParent<Question>(answer: (question: Question) => Promise<unknown>): void {
  process.on("message", (question) => {
    void answer(question as Question).then((reply) => process.send?.(reply as object));
  });
  process.on("disconnect", () => process.exit(0));
}

/** In a child: tells the parent that it is ready. */
export function tellReady(ready: unknown): void {
  process.send?.(ready as object);
}
