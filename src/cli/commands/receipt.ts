// belay receipt: shows the durable record of a cancel.
import type { Command } from "commander";
import { receiptToJson } from "../../client/operation-json.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, operationName } from "../command-options.ts";
import { receiptFields } from "../operation-view.ts";
import { printFields, printJson } from "../output.ts";

/** Defines `belay receipt`. */
export function defineReceipt(command: Command): void {
  command
    .description("Shows the receipt of a cancel: who, why, when, how the work stopped and how that is known.")
    .argument("<name>", "the operation's name; operations/ may be left out");
  addClientOptions(command);
  addExamples(command, ["belay receipt $NAME", "belay receipt $NAME --json"]);
  command.action(showReceipt);
}

async function showReceipt(name: string, options: ClientOptions): Promise<void> {
  await withClient(options, async (client) => {
    const receipt = await client.receipt(operationName(name));
    if (options.json) printJson(receiptToJson(receipt));
    else printFields(receiptFields(receipt));
  });
}
