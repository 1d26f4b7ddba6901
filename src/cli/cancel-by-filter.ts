// `belay cancel --filter`: starts the operation that cancels all that match, shows how far it is, and prints its counts; with
// --wait it then waits until the work of all of them has stopped.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { monotonicMs } from "../base/clock.ts";
import { type BelayClient, BelayError, type CancelOptions, type Operation } from "../client/client.ts";
import { operationToJson, responseJson } from "../client/operation-json.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";
import { listHeader, listRow, outcomeFields } from "./operation-view.ts";
import { outcomeExitCode, worstExitCode } from "./outcome-exit-code.ts";
import { printJson, printLine, printNote, printTable } from "./output.ts";
import { showWait } from "./show-wait.ts";
import { waitForStops } from "./wait-for-stops.ts";

export interface CancelByFilter extends Pick<CancelOptions, "reason" | "graceMs" | "force" | "onBehalfOf"> {
  filter: string;
  parent: string;
}

/** Cancels, waits for the end of the cancelling, and with `wait` of the work, too; answers the exit code. */
export async function cancelByFilter(
  client: BelayClient,
  by: CancelByFilter,
  { json, wait, timeoutMs }: { json: boolean; wait: boolean; timeoutMs: number | undefined },
): Promise<ExitCode> {
  const { filter, ...how } = by;
  const beganMs = monotonicMs();
  // Before, since a cancel changes the state, and a filter may be about that.
  const matched = wait ? await liveNames(client, by) : [];
  const { name } = await client.cancelOperations(filter, how);
  printNote(`${name} cancels what matches; belay cancel ${name} stops that`);
  const order = await showWait(client, name, { json, timeoutMs, fields });
  const code = outcomeExitCode(order);
  if (!wait || !order.done) return code;
  const later = await liveNames(client, by, order);
  const told = await cancelledOnly(client, [...new Set([...matched, ...later])], order);
  const leftMs = timeoutMs === undefined ? undefined : Math.max(1, timeoutMs - (monotonicMs() - beganMs));
  return worstExitCode([
    code,
    ...told.codes,
    ...(await waitForStops(client, told.names, { json, timeoutMs: leftMs })),
  ]);
}

/** The names of the unfinished operations that match; with an order, of those that it was about. */
async function liveNames(client: BelayClient, by: CancelByFilter, order?: Operation): Promise<string[]> {
  const createTime = order?.createTime && timestampDate(order.createTime).toISOString();
  const before = createTime === undefined ? "" : ` AND create_time <= "${createTime}"`;
  const names: string[] = [];
  await forEachPage(client, `${by.filter} AND done = false${before}`, by.parent, (operations) => {
    for (const { name } of operations) names.push(name);
  });
  return names;
}

/** How many reads are under way at once. */
const AT_ONCE = 32;

/**
 * Those that stop, or are done already; what cannot be cancelled runs on, and is not waited for. Orders like this one are
 * never meant.
 */
async function cancelledOnly(
  client: BelayClient,
  all: readonly string[],
  order: Operation,
): Promise<{ names: string[]; codes: ExitCode[] }> {
  const names: string[] = [];
  const codes: ExitCode[] = [];
  for (let start = 0; start < all.length; start += AT_ONCE) {
    const some = all.slice(start, start + AT_ONCE);
    for (const settled of await Promise.allSettled(some.map((name) => client.get(name)))) {
      if (settled.status === "fulfilled") {
        const { name, type, done, cancellation } = settled.value;
        if (type === order.type) continue;
        if (done || cancellation !== undefined) names.push(name);
        else codes.push(exitCodes.REFUSED);
      } else if (!(settled.reason instanceof BelayError && settled.reason.reason === "OPERATION_NOT_FOUND"))
        throw settled.reason;
    }
  }
  return { names, codes };
}

/** The outcome with its counts, one a line, instead of the response as JSON. */
function fields(operation: Operation, nowMs: number): ReturnType<typeof outcomeFields> {
  const outcome = outcomeFields(operation, nowMs);
  const { matched, verdicts } = (responseJson(operation) ?? {}) as {
    matched?: number;
    verdicts?: Record<string, number>;
  };
  if (matched === undefined) return outcome;
  return [
    ...outcome.filter(([label]) => label !== "response"),
    ["matched", String(matched)],
    ...Object.entries(verdicts ?? {}).map(([verdict, count]): [string, string] => [
      `- ${verdict}`,
      String(count),
    ]),
  ];
}

const SHOWN = 20;
const PAGE = 1000;

async function forEachPage(
  client: BelayClient,
  filter: string,
  parent: string,
  take: (operations: readonly Operation[]) => void,
): Promise<void> {
  let pageToken = "";
  do {
    const page = await client.list({ filter, parent, pageSize: PAGE, pageToken });
    take(page.operations);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

/** Counts what matches now and shows the newest of it. Changes nothing. */
export async function previewByFilter(client: BelayClient, by: CancelByFilter, json: boolean): Promise<void> {
  const filter = `${by.filter} AND done = false`;
  const found: Operation[] = [];
  let count = 0;
  await forEachPage(client, filter, by.parent, (operations) => {
    count += operations.length;
    found.push(...operations.slice(0, SHOWN - found.length));
  });
  if (json) {
    printJson({ count, operations: found.map(operationToJson) });
    return;
  }
  if (found.length > 0) printTable(listHeader, found.map(listRow));
  const more = count - found.length;
  if (more > 0) printNote(`and ${more} more`);
  printLine(`${count} unfinished ${count === 1 ? "operation matches" : "operations match"}`);
}
