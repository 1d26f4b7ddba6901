// belay get: shows everything that is known of an operation.
import type { Command } from "commander";
import { operationToJson } from "../../client/operation-json.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, operationName } from "../command-options.ts";
import { explainHint, operationFields } from "../operation-view.ts";
import { printFields, printJson, printNote } from "../output.ts";

/** Defines `belay get`. */
export function defineGet(command: Command): void {
  command
    .description(
      "Shows an operation: state, progress, attempts, children, the phases of its cancellation, result. Deleted ones too.",
    )
    .argument("<name>", "the operation's name; operations/ may be left out");
  addClientOptions(command);
  addExamples(command, ["belay get $NAME", "belay get $NAME --json"]);
  command.action(getOperation);
}

async function getOperation(name: string, options: ClientOptions): Promise<void> {
  await withClient(options, async (client) => {
    const operation = await client.get(operationName(name));
    if (options.json) printJson(operationToJson(operation));
    else {
      printFields(operationFields(operation));
      const hint = explainHint(operation);
      if (hint !== "" && process.stderr.isTTY) printNote(hint);
    }
  });
}
