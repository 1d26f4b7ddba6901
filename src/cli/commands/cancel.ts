// belay cancel: requests cancellation of named operations or of all that match a filter, says what the requests met, and
// can wait for the stop. What --preview prints is cancel-preview.ts's, --filter is cancel-by-filter.ts's.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import type { BelayClient, CancelOptions, CancelResult, VerdictName } from "../../client/client.ts";
import { operationToJson } from "../../client/operation-json.ts";
import { cancelByFilter, previewByFilter } from "../cancel-by-filter.ts";
import { previewFields, previewToJson } from "../cancel-preview.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, durationOption, operationName } from "../command-options.ts";
import { CliError, type ExitCode, exitCodeOf } from "../exit-codes.ts";
import { stopExitCode, worstExitCode } from "../outcome-exit-code.ts";
import { printError, printFields, printJson, printLine, printNote } from "../output.ts";
import { showWait } from "../show-wait.ts";
import { waitForStops } from "../wait-for-stops.ts";

interface CancelCommandOptions extends ClientOptions {
  filter?: string;
  parent?: string;
  reason?: string;
  grace?: number;
  force?: true;
  preview?: true;
  onBehalfOf?: string;
  wait?: true;
  timeout?: number;
}

const verdictTexts: Readonly<Record<VerdictName, string>> = {
  PREVENTED_START: "it had not begun and never will",
  STOPPING: "its work was told to stop",
  ALREADY_STOPPING: "it was being cancelled already",
  TOO_LATE_SUCCEEDED: "too late: it had succeeded",
  TOO_LATE_FAILED: "too late: it had failed",
  ALREADY_CANCELLED: "it was cancelled already",
  REFUSED_NOT_CANCELLABLE: "it cannot be cancelled",
};

/** Defines `belay cancel`. */
export function defineCancel(command: Command): void {
  command
    .description(
      "Requests cancellation and prints what the request met. It may be repeated; a repeated one can only shorten or " +
        "escalate. With --wait it exits with 0 once the work is known to have stopped (CANCELLED, or SUCCEEDED: finished " +
        "work wins), with 2 when it ended FAILED, and with 9 when nobody could confirm the stop. With --filter the cancels " +
        "are an operation of their own: its progress is shown, and then its counts; --wait goes on until the work of all " +
        "that it told has stopped.",
    )
    .argument("[names...]", "the operations' names; operations/ may be left out")
    .option(
      "--filter <filter>",
      "AIP-160: cancel all unfinished operations that match; for all of them: done = false",
    )
    .option("--parent <parent>", "with --filter: only operations of this parent")
    .option("--reason <text>", "why; it is shown to the handler and stored in the receipt")
    .option("--grace <duration>", "how long the handler may take to stop by itself", durationOption)
    .option("--force", "no grace: stop the work by force at once; needs the permission to force")
    .option("--on-behalf-of <principal>", "for whom you act; it is on the receipt")
    .option(
      "--preview",
      "change nothing, and show what would stop, what would run on, and how long it usually takes",
    )
    .option("--wait", "wait until the work has stopped")
    .option("--timeout <duration>", "with --wait or --filter: stop waiting after this time", durationOption);
  addClientOptions(command);
  addExamples(command, [
    "belay cancel $NAME --preview",
    `belay cancel $NAME --reason "no longer needed" --wait`,
    "belay cancel $NAME --grace 2s",
    `belay cancel --filter 'type = "exec.nap" AND labels.team = "ops"' --reason "the night is over"`,
  ]);
  command.action(cancelOperations);
}

async function cancelOperations(texts: readonly string[], options: CancelCommandOptions): Promise<void> {
  const names = [...new Set(texts.map(operationName))];
  const { filter } = options;
  if (names.length > 0 && filter !== undefined)
    throw new CliError("name operations, or give a --filter: not both");
  if (names.length === 0 && filter === undefined) throw new CliError("name operations, or give a --filter");
  const how = howOf(options);
  await withClient(options, async (client) => {
    const json = options.json ?? false;
    if (filter !== undefined) {
      const by = { ...how, filter, parent: options.parent ?? "" };
      if (options.preview) await previewByFilter(client, by, json);
      else {
        const { wait = false, timeout: timeoutMs } = options;
        process.exitCode = await cancelByFilter(client, by, { json, wait, timeoutMs });
      }
    } else if (options.preview) await preview(client, names, how, json);
    else {
      const [name] = names;
      if (name !== undefined && names.length === 1) await cancelOne(client, name, how, options);
      else process.exitCode = await cancelMany(client, names, how, options);
    }
  });
}

function howOf({ reason, grace, force, onBehalfOf }: CancelCommandOptions): CancelOptions {
  return {
    ...(reason !== undefined && { reason }),
    ...(grace !== undefined && { graceMs: grace }),
    ...(force && { force }),
    ...(onBehalfOf !== undefined && { onBehalfOf }),
  };
}

async function preview(
  client: BelayClient,
  names: readonly string[],
  how: CancelOptions,
  json: boolean,
): Promise<void> {
  const previews = await Promise.all(names.map((name) => client.preview(name, how)));
  const [only] = previews;
  if (json)
    printJson(
      only && previews.length === 1 ? previewToJson(only) : { previews: previews.map(previewToJson) },
    );
  else {
    for (const [index, each] of previews.entries()) {
      if (index > 0) printLine("");
      printFields(previewFields(each, verdictTexts[each.verdict]));
    }
  }
}

async function cancelOne(
  client: BelayClient,
  name: string,
  how: CancelOptions,
  options: CancelCommandOptions,
): Promise<void> {
  const json = options.json ?? false;
  const result = await client.cancel(name, how);
  if (!options.wait) {
    if (json) printJson(resultJson(result));
    else printLine(verdictLine(result));
    return;
  }
  printNote(verdictLine(result));
  process.exitCode = stopExitCode(await showWait(client, name, { timeoutMs: options.timeout, json }));
}

/** How many cancels are under way at once. */
const AT_ONCE = 32;

/** One that is refused does not keep the others from being cancelled. */
async function cancelMany(
  client: BelayClient,
  names: readonly string[],
  how: CancelOptions,
  options: CancelCommandOptions,
): Promise<ExitCode> {
  const { json, wait } = options;
  const results: CancelResult[] = [];
  const codes: ExitCode[] = [];
  for (let start = 0; start < names.length; start += AT_ONCE) {
    const some = names.slice(start, start + AT_ONCE);
    for (const settled of await Promise.allSettled(some.map((name) => client.cancel(name, how)))) {
      if (settled.status === "fulfilled") {
        results.push(settled.value);
        if (wait) printNote(verdictLine(settled.value));
        else if (!json) printLine(verdictLine(settled.value));
      } else {
        codes.push(exitCodeOf(settled.reason));
        printError(settled.reason instanceof Error ? settled.reason.message : String(settled.reason));
      }
    }
  }
  if (wait && results.length > 0) {
    const told = results.map(({ operation }) => operation.name);
    codes.push(...(await waitForStops(client, told, { json: json ?? false, timeoutMs: options.timeout })));
  } else if (json) printJson({ results: results.map(resultJson) });
  return worstExitCode(codes);
}

function resultJson({ verdict, operation }: CancelResult): {
  verdict: string;
  operation: ReturnType<typeof operationToJson>;
} {
  return { verdict, operation: operationToJson(operation) };
}

function verdictLine({ verdict, operation }: CancelResult): string {
  const deadline = operation.done ? undefined : operation.cancellation?.cancelDeadline;
  const end = deadline ? `; it ends by ${timestampDate(deadline).toISOString()}` : "";
  return `${operation.name} ${verdict}: ${verdictTexts[verdict]}${end}`;
}
