// The options of the commands that talk to a server, and the connection that they open.
import { type Command, Option } from "commander";
import { type BelayClient, connect } from "../client/client.ts";

/** The options of every command that talks to a server. */
export interface ClientOptions {
  server: string;
  json?: true;
}

/** Adds `--server` and `--json`. */
export function addClientOptions(command: Command): Command {
  return addServerOption(command).option("--json", "print JSON instead of a table");
}

/** Adds `--server`. */
export function addServerOption(command: Command): Command {
  return command.addOption(
    new Option("--server <address>", "where the server listens; https:// for TLS")
      .env("BELAY_SERVER")
      .default("127.0.0.1:8080"),
  );
}

/** Connects for the time of a command. */
export async function withClient<Result>(
  options: Pick<ClientOptions, "server">,
  use: (client: BelayClient) => Promise<Result>,
): Promise<Result> {
  // From the environment only: a command line can be read by everybody on the machine.
  const { BELAY_TOKEN: token } = process.env;
  using client = connect(options.server, token ? { token } : {});
  return await use(client);
}
