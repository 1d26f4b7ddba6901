// belay delete: hides an operation from clients.
import type { Command } from "commander";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, operationName } from "../command-options.ts";
import { printJson, printLine } from "../output.ts";

/** Defines `belay delete`. */
export function defineDelete(command: Command): void {
  command
    .description(
      "Says that nobody is interested in an operation any more: it leaves lists. It does not stop running work, unless " +
        "the operation's type says so; belay cancel does. belay get and belay receipt still show it.",
    )
    .argument("<name>", "the operation's name; operations/ may be left out");
  addClientOptions(command);
  addExamples(command, ["belay delete $NAME"]);
  command.action(deleteOperation);
}

async function deleteOperation(text: string, options: ClientOptions): Promise<void> {
  const name = operationName(text);
  await withClient(options, (client) => client.delete(name));
  if (options.json) printJson({ name });
  else printLine(`${name} deleted`);
}
