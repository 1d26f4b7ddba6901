// belay migrate: the flags. What they do is in ../migrate/, loaded with the driver only when it is asked for.
import { Argument, type Command, Option } from "commander";
import { addExamples } from "../command-options.ts";
import { CliError } from "../exit-codes.ts";

interface MigrateFlags {
  store?: string;
  from?: string;
  to?: string;
  json?: true;
}

/** Defines `belay migrate`. */
export function defineMigrate(command: Command): void {
  command
    .description(
      "Changes where and how operations are kept. plan: says which steps the schema of a PostgreSQL database lacks, and which " +
        "running nodes could not work with them. apply: takes these steps, all or none; nodes that can work with them go on. " +
        "verify: compares the schema with what the steps make, and checks rules that hold across rows. move: copies a " +
        "SQLite data folder whose server is stopped, or a backup file, into an empty PostgreSQL database, all or " +
        "nothing, and compares counts and hashes of every table.",
    )
    .addArgument(new Argument("<action>", "what to do").choices(["plan", "apply", "verify", "move"]))
    .addOption(
      new Option("--store <url>", "plan, apply, verify: the database, postgres://user@host/database").env(
        "BELAY_STORE",
      ),
    )
    .option("--from <folder>", "move: the data folder of a stopped server, or a file made by belay backup")
    .option("--to <url>", "move: the database")
    .option("--json", "print JSON instead of tables");
  addExamples(command, [
    "belay migrate plan --store postgres://belay@db.example/belay",
    "belay migrate apply --store postgres://belay@db.example/belay",
    "belay migrate move --from ./belay-backup.db --to postgres://belay@db.example/moved",
    "belay migrate verify --store postgres://belay@db.example/moved",
  ]);
  command.action(async (action: string, { store, from, to, json }: MigrateFlags) => {
    const isJson = json === true;
    if (action === "move") {
      if (from === undefined || to === undefined) throw new CliError("move needs --from FOLDER and --to URL");
      const { moveStore } = await import("../migrate/move-store.ts");
      await moveStore({ from, to, isJson });
      return;
    }
    if (store === undefined) throw new CliError(`${action} needs --store URL, or BELAY_STORE`);
    const { applySchema, planSchema, verifySchema } = await import("../migrate/schema-commands.ts");
    const run = action === "plan" ? planSchema : action === "apply" ? applySchema : verifySchema;
    await run({ store, isJson });
  });
}
