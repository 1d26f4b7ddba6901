// belay tls: a CA for development and a server certificate by it.
import { join } from "node:path";
import { type Command, Option } from "commander";
import { addExamples, repeatableOption } from "../command-options.ts";
import { DEFAULT_CONFIG_FILE, readServeConfig } from "../config/serve-config.ts";
import type { ServerConfig } from "../config/server-config.ts";
import { printFields, printJson, printLine, styled } from "../output.ts";
import { localNames, withYandexNames, yandexNames } from "../tls/certificate-names.ts";
import { clientSettings, serverSetting } from "../tls/client-settings.ts";
import type { TlsFolder } from "../tls/tls-folder.ts";

interface TlsFlags {
  config?: string;
  data: string;
  out?: string;
  host?: string[];
  yandex?: true;
  newCa?: true;
  json?: true;
}

/** Defines `belay tls`. */
export function defineTls(command: Command): void {
  command
    .description(
      "Makes a certificate authority for development and a server certificate by it, for localhost, 127.0.0.1, ::1 and " +
        "the hosts that are named here or in the configuration file. Run again, it keeps the authority and the names and renews the certificate; a server that runs " +
        "takes the new one by itself. Prints how each kind of client trusts the authority.",
    )
    .option(
      "--host <name>",
      "one more host name, wildcard such as *.example.com (one label), or address; repeatable",
      repeatableOption,
    )
    .option(
      "--yandex",
      "adds the names of the Yandex Cloud endpoints, api.cloud.yandex.net and those below it",
    )
    .addOption(
      new Option(
        "--config <file>",
        `the server's configuration file: adds the hosts of the services in it; ${DEFAULT_CONFIG_FILE} of this folder is ` +
          "taken where it exists",
      ).env("BELAY_CONFIG"),
    )
    .addOption(
      new Option("--data <folder>", "the server's data folder; the files go to its folder tls")
        .env("BELAY_DATA")
        .default("./belay-data"),
    )
    .option("--out <folder>", "put the files here instead")
    .option("--new-ca", "make a new authority too, which clients must then trust")
    .option("--json", "print JSON instead of a table");
  addExamples(command, ["belay tls", "belay tls --host vault.example --yandex --out ./belay-tls"]);
  command.action(async (flags: TlsFlags) => {
    const config = await readServeConfig(flags.config, null);
    const isDefault = command.getOptionValueSource("data") === "default";
    await makeCertificates({ ...flags, data: (isDefault && config?.data) || flags.data }, config);
  });
}

async function makeCertificates(flags: TlsFlags, config: ServerConfig | undefined): Promise<void> {
  const { data, out, host = [], yandex, newCa } = flags;
  const [{ writeTlsFolder }, { declaredHosts }] = await Promise.all([
    import("../tls/tls-folder.ts"),
    import("../tls/declared-hosts.ts"),
  ]);
  const named = [...declaredHosts(config), ...host, ...(yandex ? yandexNames : [])];
  const made = await writeTlsFolder({
    folder: out ?? join(data, "tls"),
    names: withYandexNames([...localNames, ...named]),
    newCa: newCa === true,
  });
  if (flags.json) printJson(toJson(made));
  else print(made, out === undefined ? "belay serve on this data folder takes it when it starts" : undefined);
}

/** `server` is how the server takes the certificate by itself; without it, the line for its configuration is shown. */
function print(made: TlsFolder, server: string | undefined): void {
  const day = (date: Date): string => date.toISOString().slice(0, 10);
  printFields([
    ["authority", `${made.caFile} (${made.caIsNew ? "new" : "kept"}, until ${day(made.caExpires)})`],
    ["certificate", `${made.certFile} (until ${day(made.certExpires)})`],
    ["key", made.keyFile],
    ["names", made.names.join(", ")],
    ["server", server],
    ["belay.yaml", server === undefined ? serverSetting(made) : undefined],
  ]);
  printLine("");
  printLine(styled({ text: "How clients trust the authority:", style: "bold" }));
  printFields(clientSettings(made.caFile).map(({ client, setting }) => [client, setting]));
}

function toJson(made: TlsFolder): Record<string, string | boolean | string[]> {
  return {
    caFile: made.caFile,
    caExpires: made.caExpires.toISOString(),
    caIsNew: made.caIsNew,
    certFile: made.certFile,
    keyFile: made.keyFile,
    certExpires: made.certExpires.toISOString(),
    names: [...made.names],
  };
}
