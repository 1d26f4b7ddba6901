// belay cancel: requests cancellation, says what the request met, and can wait for the stop.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import type { CancelResult, VerdictName } from "../../client/client.ts";
import { operationToJson } from "../../client/operation-json.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, durationOption, operationName } from "../command-options.ts";
import { exitCodes } from "../exit-codes.ts";
import { stateName } from "../operation-view.ts";
import { printJson, printLine, printNote } from "../output.ts";
import { showWait } from "../show-wait.ts";

interface CancelCommandOptions extends ClientOptions {
  reason?: string;
  grace?: number;
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
      "Requests cancellation and prints what the request met. It may be repeated. With --wait it exits with 0 once the " +
        "work is known to have stopped (CANCELLED, or SUCCEEDED: finished work wins), and with 2 when it ended FAILED.",
    )
    .argument("<name>", "the operation's name; operations/ may be left out")
    .option("--reason <text>", "why; it is shown to the handler and stored in the receipt")
    .option("--grace <duration>", "how long the handler may take to stop by itself", durationOption)
    .option("--wait", "wait until the operation is done")
    .option("--timeout <duration>", "with --wait: stop waiting after this time", durationOption);
  addClientOptions(command);
  addExamples(command, [
    `belay cancel $NAME --reason "no longer needed" --wait`,
    "belay cancel $NAME --grace 2s",
  ]);
  command.action(cancelOperation);
}

async function cancelOperation(name: string, options: CancelCommandOptions): Promise<void> {
  await withClient(options, async (client) => {
    const result = await client.cancel(operationName(name), {
      ...(options.reason !== undefined && { reason: options.reason }),
      ...(options.grace !== undefined && { graceMs: options.grace }),
    });
    if (!options.wait) {
      printVerdict(result, options);
      return;
    }
    printNote(verdictLine(result));
    const json = options.json ?? false;
    const operation = await showWait(client, result.operation.name, { timeoutMs: options.timeout, json });
    if (!operation.done) process.exitCode = exitCodes.NOT_DONE;
    else if (stateName(operation) === "FAILED") process.exitCode = exitCodes.FAILED;
  });
}

function printVerdict(result: CancelResult, options: CancelCommandOptions): void {
  if (options.json) printJson({ verdict: result.verdict, operation: operationToJson(result.operation) });
  else printLine(verdictLine(result));
}

function verdictLine({ verdict, operation }: CancelResult): string {
  const deadline = operation.done ? undefined : operation.cancellation?.cancelDeadline;
  const end = deadline ? `; it ends by ${timestampDate(deadline).toISOString()}` : "";
  return `${operation.name} ${verdict}: ${verdictTexts[verdict]}${end}`;
}
