// The node:test reporter that scripts/test.ts gives each test file: one JSON line an event, written as it happens, so
// that a file that hangs or crashes still tells how far it came.
import { inspect } from "node:util";

// Once nothing keeps the process alive it ends at once. Node 24.21 may else turn for ever in the clean-up of its handles (the
// profile of such a process: uv_run below Environment::CleanupHandles, no system call); what is left open still keeps it.
process.once("exit", () => process.exit());

/** One line of a test file's report. */
export type ReportLine =
  | { event: "begin"; title: string }
  | { event: "end"; title: string }
  | { event: "note"; text: string }
  | { event: "complete" }
  | { event: "passed" | "skipped"; title: string; durationMs: number }
  | { event: "failed"; title: string; durationMs: number; error: string };

/** The parts of node:test's events that are read here. */
interface TestEvent {
  type: string;
  data: {
    name: string;
    nesting: number;
    /** Of a diagnostic. */
    message?: string;
    skip?: unknown;
    todo?: unknown;
    details?: { duration_ms: number; type?: string; error?: Error & { failureType?: string } };
  };
}

/** The error without node:test's wrapper around it, and without the frames of Node itself. */
function describeError(error: Error | undefined): string {
  const cause = error?.cause ?? error;
  if (!(cause instanceof Error)) return typeof cause === "string" ? cause : inspect(cause, { depth: 6 });
  // An assertion's message shows its difference already; its properties would show both values again.
  const isAssertion = "code" in cause && cause.code === "ERR_ASSERTION";
  const text = isAssertion ? (cause.stack ?? cause.message) : inspect(cause, { depth: 6 });
  return text.replace(/\n +at [^\n]*\(?node:[^\n]*/g, "");
}

/** node:test's own closing diagnostics. */
const totals = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

function finished(event: TestEvent, title: string): ReportLine | undefined {
  const { details, skip, todo } = event.data;
  // A suite, or a test that failed only because of its subtests, is told by what is in it.
  if (details?.type === "suite" && event.type === "test:pass") return undefined;
  if (details?.error?.failureType === "subtestsFailed") return undefined;
  const durationMs = details?.duration_ms ?? 0;
  const isSkipped = (skip !== undefined && skip !== false) || (todo !== undefined && todo !== false);
  if (isSkipped) return { event: "skipped", title, durationMs };
  if (event.type === "test:pass") return { event: "passed", title, durationMs };
  return { event: "failed", title, durationMs, error: describeError(details?.error) };
}

// biome-ignore lint/style/noDefaultExport: node:test loads a reporter by its default export.
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const path: string[] = [];
  for await (const event of source) {
    const { name, nesting } = event.data;
    let line: ReportLine | undefined;
    if (event.type === "test:dequeue") line = { event: "begin", title: name };
    else if (event.type === "test:complete") line = { event: "end", title: name };
    else if (event.type === "test:summary") line = { event: "complete" };
    else if (event.type === "test:start") path.splice(nesting, path.length, name);
    else if (event.type === "test:pass" || event.type === "test:fail") {
      line = finished(event, [...path.slice(0, nesting), name].join(" > "));
    } else if (event.type === "test:diagnostic" && !totals.test(event.data.message ?? "")) {
      line = { event: "note", text: event.data.message ?? "" };
    }
    if (line) yield `${JSON.stringify(line)}\n`;
  }
}
