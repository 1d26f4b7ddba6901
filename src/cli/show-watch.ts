// A watch at the terminal: a live table on a terminal, a line for each change otherwise, or JSON lines.
import { wallClockInstant } from "../base/clock.ts";
import {
  type Operation,
  type OperationWatch,
  responseJson,
  type State,
  type WatchEvent,
} from "../client/client.ts";
import { messageJson } from "../client/operation-json.ts";
import { OperationEventSchema } from "../protocol/gen/belay/v1/operations_pb.ts";
import { LiveTable } from "./live-table.ts";
import { cancellationText, errorText, progressText, stateName, timeText } from "./operation-view.ts";
import { outputIsGone, printLine } from "./output.ts";

/** How a watch is shown. */
export type WatchStyle = "table" | "lines" | "json";

/** What was watched, as it stood last. */
export type Watched = ReadonlyMap<string, Operation>;

/** Shows every event until the watch ends. Throws what the watch throws; what was shown stays. */
export async function showWatch(watch: OperationWatch, style: WatchStyle): Promise<Watched> {
  const watched = new Map<string, Operation>();
  const display =
    style === "table" ? new TableDisplay() : style === "lines" ? new LineDisplay() : new JsonDisplay();
  try {
    for await (const told of watch) {
      const operation = told.type === "caughtUp" ? undefined : told.event.operation;
      if (operation) watched.set(operation.name, operation);
      display.show(told);
      if (outputIsGone()) break;
    }
  } finally {
    display.end();
  }
  return watched;
}

interface WatchDisplay {
  show(told: WatchEvent): void;
  end(): void;
}

class TableDisplay implements WatchDisplay {
  readonly #table = new LiveTable(process.stdout, () => wallClockInstant() / 1000);

  show(told: WatchEvent): void {
    if (told.type === "caughtUp") this.#table.draw();
    else if (told.event.operation) this.#table.take(told.event.operation);
  }

  end(): void {
    this.#table.end();
  }
}

class LineDisplay implements WatchDisplay {
  /** What the last line of each operation said. */
  readonly #shown = new Map<string, { state: State; line: string }>();

  show(told: WatchEvent): void {
    if (told.type === "caughtUp") return;
    const { name, time, state, operation } = told.event;
    // The event says what changed and when; the operation may be later already.
    const more = operation && operation.state === state ? detailText(operation) : "";
    const line = [name, stateName({ state }), more].filter(Boolean).join(" ");
    const before = this.#shown.get(name);
    // Much of what changes is not shown here: the same words again, or fewer, say nothing.
    if (before?.line === line || (before?.state === state && more === "")) return;
    this.#shown.set(name, { state, line });
    printLine([timeText(time), line].filter(Boolean).join(" "));
  }

  end(): void {}
}

function detailText(operation: Operation): string {
  if (operation.result.case === "error") return errorText(operation.result.value);
  if (operation.done) return shortJson(responseJson(operation));
  return [progressText(operation), cancellationText(operation)].filter(Boolean).join(", ");
}

const RESPONSE_TEXT_MAX = 200;

function shortJson(value: unknown): string {
  const text = value === undefined ? "" : JSON.stringify(value);
  return text.length <= RESPONSE_TEXT_MAX ? text : `${text.slice(0, RESPONSE_TEXT_MAX)}...`;
}

/** One JSON document a line, each with the token that resumes after it. */
class JsonDisplay implements WatchDisplay {
  show(told: WatchEvent): void {
    const { type, resumeToken } = told;
    const event = told.type === "caughtUp" ? undefined : messageJson(OperationEventSchema, told.event);
    printLine(JSON.stringify({ type, ...(event && { event }), resumeToken }));
  }

  end(): void {}
}
