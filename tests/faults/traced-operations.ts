// Operations that write what they really do into files, so that tests need not believe anybody's record. Each attempt has a
// file `ID.ATTEMPT` in the folder BELAY_TEST_TRACES: `begin KIND WORKER PID MS`, `child PID`, `beat MS`, `end HOW MS`. The times
// are this machine's wall clock; of a command's beats the file's own time tells the last (traces.ts reads them).
import { defineOperation, type OperationContext, type OperationDefinition } from "../../src/worker/worker.ts";
import { followPayload, type TracedPayload, traceFolder, workerName } from "./traced-work.ts";

/** How long force may take; the lease's end is announced that much earlier. */
const killMs = Number(process.env["BELAY_TEST_KILL_MS"] ?? 1000);

/**
 * `$1` the folder, `$2` seconds between beats, `$3` and `$4` how many of them in the first and in later attempts, `$5` "deaf"
 * or "", `$6` the worker. Deaf means that neither it nor its child heeds SIGTERM.
 */
const script = `
attempt=\${BELAY_ATTEMPT%%-*}
file="$1/\${BELAY_OPERATION##*/}.$attempt"
now() { date +%s%3N; }
if [ "$5" = deaf ]; then trap "" TERM; else trap 'echo "end stopped $(now)" >> "$file"; exit 143' TERM; fi
echo "begin command $6 $$ $(now)" >> "$file"
sh -c 'while :; do echo beat >> "$1"; sleep "$2"; done' child "$file" "$2" &
child=$!
echo "child $child" >> "$file"
left=$3
if [ "$attempt" -gt 1 ]; then left=$4; fi
while [ "$left" -gt 0 ]; do echo beat >> "$file"; sleep "$2"; left=$((left - 1)); done
kill -KILL $child
echo "end done $(now)" >> "$file"
`;

function command(payload: TracedPayload): readonly [string, ...string[]] {
  const { ms = 0, retryMs = ms, beatMs = 50, deaf = false } = payload;
  const numbers = [beatMs / 1000, Math.ceil(ms / beatMs), Math.ceil(retryMs / beatMs)].map(String);
  return ["sh", "-c", script, "sh", traceFolder, ...numbers, deaf ? "deaf" : "", workerName];
}

/** Starts its children, waits for them, and ends with them. */
async function runParent(context: OperationContext, payload: TracedPayload): Promise<undefined> {
  const { children = 2, childMs = 500, kind = "trace.inline", policy = "cancel" } = payload;
  await followPayload(context, { ...payload, ms: 0 }, async () => {
    const starts = Array.from({ length: children }, (_, index) =>
      context.start(kind, {
        payload: { ms: childMs },
        policy,
        requestId: `child-${index}`,
        ...(policy === "wait" && { deadlineMs: 30_000 }),
      }),
    );
    const started = await Promise.all(starts);
    await Promise.all(started.map((child) => child.wait()));
  });
}

export const operations: readonly OperationDefinition[] = [
  defineOperation({ type: "trace.inline", killMs }, (context, input) => followPayload(context, input)),
  defineOperation({ type: "trace.critical", killMs, criticalMs: 1500 }, (context, input) =>
    context.critical("holds the abort back", () => followPayload(context, input)),
  ),
  defineOperation({ type: "trace.cleanup", killMs, cleanupMs: 1000 }, (context, input) => {
    context.onCleanup(() => {});
    return followPayload(context, input);
  }),
  defineOperation({ type: "trace.parent", killMs }, (context, input) => runParent(context, input)),
  defineOperation({
    type: "trace.thread",
    kind: "thread",
    killMs,
    module: new URL("./traced-thread.ts", import.meta.url),
  }),
  defineOperation({
    type: "trace.busy-thread",
    kind: "thread",
    killMs,
    module: new URL("./traced-busy-thread.ts", import.meta.url),
  }),
  defineOperation({ type: "trace.command", kind: "process", killMs, command }),
];
