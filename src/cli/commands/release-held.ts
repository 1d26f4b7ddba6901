// belay release-held: an operator's word that work whose stop was never confirmed is gone.
import type { Command } from "commander";
import { operationToJson } from "../../client/operation-json.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, operationName } from "../command-options.ts";
import { printJson, printLine } from "../output.ts";

interface ReleaseCommandOptions extends ClientOptions {
  reason: string;
  onBehalfOf?: string;
}

/** Defines `belay release-held`. */
export function defineReleaseHeld(command: Command): void {
  command
    .description(
      "Frees the slot and the concurrency key of an operation whose stop was never confirmed (belay get shows it as held). " +
        "Look first that its work is gone: nothing checks your word, and it is on the receipt. Needs the permission to force.",
    )
    .argument("<name>", "the operation's name; operations/ may be left out")
    .requiredOption("--reason <text>", "how it is known that the work is gone, 1-1024 characters")
    .option("--on-behalf-of <principal>", "for whom you act; it is on the receipt");
  addClientOptions(command);
  addExamples(command, [
    'belay release-held $NAME --reason "the machine was switched off" || echo "nothing is held"',
  ]);
  command.action(releaseHeld);
}

async function releaseHeld(name: string, options: ReleaseCommandOptions): Promise<void> {
  const { reason, onBehalfOf, json } = options;
  await withClient(options, async (client) => {
    const operation = await client.releaseHeld(operationName(name), {
      reason,
      ...(onBehalfOf !== undefined && { onBehalfOf }),
    });
    if (json) printJson(operationToJson(operation));
    else printLine(`${operation.name} holds nothing any more`);
  });
}
