// belay wait: waits until an operation is done and exits with how it ended.
import type { Command } from "commander";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, durationOption, operationName } from "../command-options.ts";
import { formatDuration } from "../duration.ts";
import { exitCodes } from "../exit-codes.ts";
import { outcomeExitCode } from "../outcome-exit-code.ts";
import { printError } from "../output.ts";
import { showWait } from "../show-wait.ts";

interface WaitCommandOptions extends ClientOptions {
  timeout?: number;
}

/** Defines `belay wait`. */
export function defineWait(command: Command): void {
  command
    .description(
      "Waits until an operation is done, and shows its progress on standard error: a bar on a terminal, else a line " +
        "for each change. Exits with 0, 2 or 3 when it SUCCEEDED, FAILED or was CANCELLED, with 6 when the time is over.",
    )
    .argument("<name>", "the operation's name; operations/ may be left out")
    .option("--timeout <duration>", "stop waiting after this time; default never", durationOption);
  addClientOptions(command);
  addExamples(command, [
    "belay wait $(belay start exec.hello)",
    `belay wait $NAME --timeout 1s || echo "not done yet"`,
  ]);
  command.action(waitForOperation);
}

async function waitForOperation(name: string, options: WaitCommandOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { timeout: timeoutMs, json = false } = options;
    const operation = await showWait(client, operationName(name), { timeoutMs, json });
    process.exitCode = outcomeExitCode(operation);
    if (process.exitCode === exitCodes.NOT_DONE) {
      printError(`${operation.name} is not done after ${formatDuration(timeoutMs ?? 0)}; it goes on`);
    }
  });
}
