// belay rerun: starts a failed or cancelled operation anew, as a new one.
import type { Command } from "commander";
import { operationToJson } from "../../client/operation-json.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, operationName } from "../command-options.ts";
import { outcomeExitCode } from "../outcome-exit-code.ts";
import { printJson, printLine } from "../output.ts";
import { showWait } from "../show-wait.ts";

interface RerunCommandOptions extends ClientOptions {
  requestId?: string;
  wait?: true;
}

/** Defines `belay rerun`. */
export function defineRerun(command: Command): void {
  command
    .description(
      "Starts a failed or cancelled operation anew, as a new operation with the same input, labels and rules, and prints " +
        "its name. Look first where the old one ended unconfirmed: its work may still be running.",
    )
    .argument("<name>", "the operation's name; operations/ may be left out")
    .option("--request-id <id>", "makes the call idempotent: the same id answers the same new operation")
    .option("--wait", "wait until it is done, like belay wait");
  addClientOptions(command);
  addExamples(command, [
    "AGAIN=$(belay rerun $NAME)",
    'belay cancel $AGAIN --reason "once was enough" --wait',
  ]);
  command.action(rerunOperation);
}

async function rerunOperation(name: string, options: RerunCommandOptions): Promise<void> {
  const { requestId, json = false } = options;
  await withClient(options, async (client) => {
    const again = await client.rerun(operationName(name), requestId === undefined ? {} : { requestId });
    if (options.wait) {
      const ended = await showWait(client, again.name, { timeoutMs: undefined, json });
      process.exitCode = outcomeExitCode(ended);
    } else if (json) printJson(operationToJson(await again.get()));
    else printLine(again.name);
  });
}
