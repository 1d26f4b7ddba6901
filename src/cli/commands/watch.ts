// belay watch: shows operations as they change, until they are done or Ctrl-C.
import { type Command, Option } from "commander";
import { wallClockInstant } from "../../base/clock.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, durationOption, operationName } from "../command-options.ts";
import { CliError } from "../exit-codes.ts";
import { interruptible } from "../interrupt.ts";
import { outcomeExitCode, worstExitCode } from "../outcome-exit-code.ts";
import { outputIsGone } from "../output.ts";
import { showWatch, type WatchStyle } from "../show-watch.ts";

interface WatchCommandOptions extends ClientOptions {
  filter?: string;
  parent: string;
  all?: true;
  resume?: string;
  away: number;
}

/** Defines `belay watch`. */
export function defineWatch(command: Command): void {
  command
    .description(
      "Shows operations as they change: a table with bars on a terminal, else a line for each change, or with --json a " +
        "JSON document a line. Named ones until all of them are done: then it exits with 0, or with 9, 2 or 3 if one ended " +
        "unconfirmed, FAILED or CANCELLED. Without names it shows what is live, and what changes from now on, until " +
        "Ctrl-C. It goes on where it was when the connection breaks or the server restarts, without a gap.",
    )
    .argument("[names...]", "the operations' names; operations/ may be left out")
    .option("--filter <filter>", 'AIP-160: only operations that match it, for instance type = "ocr.page"')
    .option("--parent <parent>", "only operations of this parent", "")
    .option("--all", "without names: first every operation that is there, the done ones, too")
    .option("--resume <token>", "go on after the event that had this resumeToken (--json shows them)")
    .addOption(
      new Option("--away <duration>", "how long the server may be away before it gives up")
        .argParser(durationOption)
        .default(60_000, "1m"),
    );
  addClientOptions(command);
  addExamples(command, [
    `timeout 1 belay watch $NAME || echo "still running"`,
    `belay watch $(belay start exec.hello) $(belay start exec.hello) --json`,
    `timeout 1 belay watch --filter 'type = "exec.nap"' || echo "until Ctrl-C"`,
  ]);
  command.action(watchOperations);
}

async function watchOperations(texts: readonly string[], options: WatchCommandOptions): Promise<void> {
  const { filter, parent, all, resume: resumeToken, away: awayMaxMs } = options;
  const names = [...new Set(texts.map(operationName))];
  if (names.length > 0 && filter !== undefined)
    throw new CliError("name operations, or give a filter: not both");
  const style: WatchStyle = options.json ? "json" : process.stdout.isTTY ? "table" : "lines";
  await withClient(options, async (client) => {
    const watched = await interruptible((signal) => {
      const watch = client.watch({
        ...(names.length > 0 ? { names } : { filter: all ? (filter ?? "") : liveOrChanging(filter) }),
        ...{ parent, awayMaxMs, signal },
        ...(resumeToken !== undefined && { resumeToken }),
      });
      return showWatch(watch, style);
    });
    // The reader that went (`belay watch A | head -1`) has seen what it wanted: how they end is not known.
    if (names.length > 0 && !outputIsGone())
      process.exitCode = worstExitCode([...watched.values()].map(outcomeExitCode));
  });
}

/** The clocks of this machine and of the server's may differ by this much before an end is missed. */
const CLOCKS_APART_MS = 10_000;

/**
 * The filter comes first and without parentheses (AND binds the loosest), so that an error names the right column of it.
 * What is live now, and whatever changes after: an end changes an operation's update_time, and so still matches. */
function liveOrChanging(filter: string | undefined): string {
  const since = new Date(wallClockInstant() / 1000 - CLOCKS_APART_MS).toISOString();
  const recent = `(done = false OR update_time >= "${since}")`;
  return filter === undefined || filter.trim() === "" ? recent : `${filter} AND ${recent}`;
}
