// belay list: a table of operations, newest first.
import { type Command, Option } from "commander";
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
  order: "newest" | "oldest";
  deleted?: true;
}

const LIMIT_MAX = 100_000;
const PAGE_MAX = 1000;

/** Defines `belay list`. */
export function defineList(command: Command): void {
  command
    .description("Lists operations, newest first. Deleted ones are left out unless --deleted is given.")
    .option(
      "--filter <filter>",
      "AIP-160, over name, done, type, state, labels, create_time, update_time, created_by, parents",
      "",
    )
    .option("--parent <parent>", "list the operations of this parent", "")
    .option("--limit <count>", `show at most this many, 1-${LIMIT_MAX}`, integerOption(1, LIMIT_MAX), 50)
    .addOption(
      new Option("--order <order>", "which come first").choices(["newest", "oldest"]).default("newest"),
    )
    .option("--deleted", "deleted operations, too, until they are purged");
  addClientOptions(command);
  addExamples(command, [
    "belay list",
    `belay list --filter 'type = "exec.nap" AND done = false' --limit 10`,
    "belay list --order oldest --deleted",
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
  { filter, parent, limit, order, deleted }: ListCommandOptions,
): Promise<{ operations: Operation[]; hasMore: boolean }> {
  const operations: Operation[] = [];
  let pageToken = "";
  do {
    const pageSize = Math.min(PAGE_MAX, limit - operations.length);
    const orderBy = order === "oldest" ? "create_time" : "create_time desc";
    const page = await client.list({
      filter,
      parent,
      pageSize,
      pageToken,
      orderBy,
      showDeleted: deleted ?? false,
    });
    operations.push(...page.operations);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && operations.length < limit && !outputIsGone());
  return { operations, hasMore: pageToken !== "" };
}
