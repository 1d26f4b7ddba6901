// belay list: a table of operations, newest first.
import type { Command } from "commander";
import type { BelayClient, Operation } from "../../client/client.ts";
import { operationToJson } from "../../client/operation-json.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, integerOption } from "../command-options.ts";
import { listHeader, listRow } from "../operation-view.ts";
import { outputIsGone, printJson, printNote, printTable } from "../output.ts";

interface ListCommandOptions extends ClientOptions {
  filter: string;
  parent: string;
  limit: number;
}

const LIMIT_MAX = 100_000;
const PAGE_MAX = 500;

/** Defines `belay list`. */
export function defineList(command: Command): void {
  command
    .description("Lists operations, newest first. Deleted ones are left out.")
    .option(
      "--filter <filter>",
      "AIP-160, over name, done, type, state, labels, create_time, update_time, created_by",
      "",
    )
    .option("--parent <parent>", "list the operations of this parent", "")
    .option("--limit <count>", `show at most this many, 1-${LIMIT_MAX}`, integerOption(1, LIMIT_MAX), 50);
  addClientOptions(command);
  addExamples(command, [
    "belay list",
    `belay list --filter 'type = "exec.nap" AND done = false' --limit 10`,
    "belay list --json | grep '\"name\"'",
  ]);
  command.action(listOperations);
}

async function listOperations(options: ListCommandOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { operations, hasMore } = await readPages(client, options);
    if (options.json) printJson({ operations: operations.map(operationToJson) });
    else if (operations.length > 0) printTable(listHeader, operations.map(listRow));
    else printNote("no operations");
    if (hasMore) printNote(`the first ${operations.length} are shown; --limit shows more`);
  });
}

async function readPages(
  client: BelayClient,
  { filter, parent, limit }: ListCommandOptions,
): Promise<{ operations: Operation[]; hasMore: boolean }> {
  const operations: Operation[] = [];
  let pageToken = "";
  do {
    const pageSize = Math.min(PAGE_MAX, limit - operations.length);
    const page = await client.list({ filter, parent, pageSize, pageToken });
    operations.push(...page.operations);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && operations.length < limit && !outputIsGone());
  return { operations, hasMore: pageToken !== "" };
}
