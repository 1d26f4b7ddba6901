// belay backup: copies the database of a data folder to a file, while its server runs.
import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Command, Option } from "commander";
import { backUp } from "../../stores/sqlite/backup.ts";
import { databasePath } from "../../stores/sqlite/data-folder.ts";
import { addExamples } from "../command-options.ts";
import { CliError, exitCodes } from "../exit-codes.ts";
import { printJson, printLine } from "../output.ts";

interface BackupOptions {
  data: string;
  json?: true;
}

/** How long to wait for a lock of the database. */
const BUSY_TIMEOUT_MS = 5_000;

/** Defines `belay backup`. */
export function defineBackup(command: Command): void {
  command
    .description(
      "Copies the database of a data folder to a new file: one consistent state, while the server goes on. To restore " +
        "it, stop the server, and put the file as belay.db into an empty folder. Runs on the server's machine.",
    )
    .argument("<file>", "the file to write; it must not exist")
    .addOption(
      new Option("--data <folder>", "the server's data folder").env("BELAY_DATA").default("./belay-data"),
    )
    .option("--json", "print JSON instead of a line");
  addExamples(command, ["belay backup ./belay-backup.db"]);
  command.action(backUpFolder);
}

async function backUpFolder(file: string, { data, json }: BackupOptions): Promise<void> {
  const source = databasePath(data);
  if (!existsSync(source)) throw new CliError(`there is no database ${source}`, exitCodes.STORAGE);
  if (existsSync(file)) throw new CliError(`${file} exists already`);
  if (!existsSync(dirname(resolve(file)))) throw new CliError(`the folder of ${file} does not exist`);
  try {
    await backUp({ folder: data, busyTimeoutMs: BUSY_TIMEOUT_MS }, file);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new CliError(`the backup of ${source} failed: ${problem}`, exitCodes.STORAGE);
  }
  const { size: bytes } = statSync(file);
  if (json) printJson({ file, bytes });
  else printLine(`${file}: ${(bytes / 1024 / 1024).toFixed(1)} MiB`);
}
