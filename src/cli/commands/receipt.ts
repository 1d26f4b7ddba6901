// belay receipt: shows the durable record of a cancel; exports and verifies the chain of all of them.
import type { Command } from "commander";
import { receiptToJson } from "../../client/operation-json.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, operationName, repeatableOption } from "../command-options.ts";
import { CliError } from "../exit-codes.ts";
import { printFields, printJson } from "../output.ts";
import { receiptFields } from "../receipt-view.ts";

interface ReceiptOptions extends ClientOptions {
  export?: string;
  /** A file; true for the server's own chain. */
  verify?: string | true;
  trustedKey?: string[];
}

/** Defines `belay receipt`. */
export function defineReceipt(command: Command): void {
  command
    .description(
      "Shows the receipt of a cancel: who, why, when, how the work stopped and how that is known. --export writes the " +
        "chain of all receipts of your tenant and the service that is asked as JSON lines; --verify checks a file, or without one the server's own chain, " +
        "and exits with 10 if an entry was changed, removed or moved, or a signature is wrong. A whole forged chain has keys " +
        "of its own: note the keys that --verify prints, and give them as --trusted-key.",
    )
    .argument("[name]", "the operation's name; operations/ may be left out")
    .option("--export <file>", "write the chain of receipts to a file; - for standard output")
    .option("--verify [file]", "check the chain in a file that --export wrote; without one, the server's")
    .option(
      "--trusted-key <id>",
      "with --verify: the id of a key that may sign; repeatable",
      repeatableOption,
    );
  addClientOptions(command);
  addExamples(command, [
    "belay receipt $NAME",
    "belay receipt $NAME --json",
    "belay receipt --export ./receipts.jsonl",
    "belay receipt --verify ./receipts.jsonl",
    "belay receipt --verify",
  ]);
  command.action(runReceipt);
}

async function runReceipt(name: string | undefined, options: ReceiptOptions): Promise<void> {
  const { export: exportFile, verify, trustedKey, json = false } = options;
  const asked = [name, exportFile, verify].filter((each) => each !== undefined);
  if (asked.length !== 1) throw new CliError("name an operation, or --export a file, or --verify");
  if (name !== undefined) await showReceipt(name, options);
  else {
    const { exportChainTo, verifyChainFile, verifyServerChain } = await import("../receipt-chain.ts");
    const trust = trustedKey === undefined ? {} : { trustedKeys: trustedKey };
    if (exportFile !== undefined)
      await withClient(options, (client) => exportChainTo(client, exportFile, json));
    else if (typeof verify === "string") process.exitCode = await verifyChainFile(verify, trust, json);
    else process.exitCode = await withClient(options, (client) => verifyServerChain(client, trust, json));
  }
}

async function showReceipt(name: string, options: ReceiptOptions): Promise<void> {
  const receipt = await withClient(options, (client) => client.receipt(operationName(name)));
  if (options.json) printJson(receiptToJson(receipt));
  else printFields(receiptFields(receipt));
}
