// belay start: starts an operation and prints its name.
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import type { JsonObject } from "@bufbuild/protobuf";
import { type Command, Option } from "commander";
import { wallClockInstant } from "../../base/clock.ts";
import type { StartFields } from "../../client/client.ts";
import { operationToJson } from "../../client/operation-json.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import {
  addExamples,
  durationOption,
  integerOption,
  keyValueOption,
  parseJsonObject,
} from "../command-options.ts";
import { CliError } from "../exit-codes.ts";
import { outcomeExitCode } from "../outcome-exit-code.ts";
import { printJson, printLine } from "../output.ts";
import { showWait } from "../show-wait.ts";

interface StartOptions extends ClientOptions {
  payload?: string;
  payloadFile?: string;
  label?: Record<string, string>;
  description?: string;
  requestId?: string;
  parent?: string;
  deadline?: number;
  grace?: number;
  cancellable: boolean;
  wait?: true;
  priority?: number;
  delay?: number;
  key?: string;
  keyLimit?: number;
  supersede?: string;
  unwatched?: number;
  attempts?: number;
  backoff?: number;
  backoffMax?: number;
  attemptTimeout?: number;
  stallTimeout?: number;
  retention?: number;
}

/** Defines `belay start`. */
export function defineStart(command: Command): void {
  command
    .description("Starts an operation and prints its name, once it is stored durably.")
    .argument("<type>", "the operation type, for instance ocr.recognize")
    .addOption(new Option("--payload <json>", "the handler's input, a JSON object").conflicts("payloadFile"))
    .option("--payload-file <file>", "read the payload from a file; - for standard input")
    .option("--label <key=value>", "a label; repeatable", keyValueOption)
    .option("--description <text>", "what it is for, 0-256 characters")
    .option("--request-id <id>", "makes the start idempotent: the same id answers the same operation")
    .option("--parent <parent>", "the collection's parent, for instance projects/p/locations/l")
    .option("--deadline <duration>", "fail the operation if it is not done by then", durationOption)
    .option("--grace <duration>", "how long the handler may take to stop after a cancel", durationOption)
    .option("--no-cancellable", "refuse to cancel this operation")
    .option("--wait", "wait until it is done, like belay wait");
  addRules(command);
  addClientOptions(command);
  addExamples(command, [
    "belay start exec.hello --wait",
    `NAME=$(belay start exec.nap --label team=ops --description "a long one")`,
    `belay start exec.hello --key printer-1 --key-limit 1 --attempts 3 --attempt-timeout 1m --priority 10`,
    `belay start exec.nap --supersede nightly --unwatched 5m --delay 1s`,
    `echo '{"pages": 3}' | belay start exec.hello --payload-file - --request-id hello-1`,
  ]);
  command.action(startOperation);
}

/** Adds the flags that say how it runs; without one, the type's own value counts. */
function addRules(command: Command): void {
  command
    .addOption(
      new Option("--priority <number>", "higher ones start first: -100 to 100").argParser(
        integerOption(-100, 100),
      ),
    )
    .option("--delay <duration>", "do not begin before this time has passed", durationOption)
    .option("--key <key>", "a concurrency key: operations of the type with the same key share a limit")
    .option("--key-limit <count>", "how many with the same --key may run at once", integerOption(1, 10_000))
    .option("--supersede <key>", "cancel the type's live operations that were started with the same key")
    .option(
      "--unwatched <duration>",
      "cancel it when nobody has watched or waited for this long",
      durationOption,
    )
    .option("--attempts <count>", "how often it may be begun; 1 is at most once", integerOption(1, 100))
    .option(
      "--backoff <duration>",
      "the delay before the second attempt, doubled for each further one",
      durationOption,
    )
    .option("--backoff-max <duration>", "the longest delay before an attempt", durationOption)
    .option("--attempt-timeout <duration>", "each attempt's longest run", durationOption)
    .option("--stall-timeout <duration>", "the longest time without progress; 0s is no limit", durationOption)
    .option("--retention <duration>", "how long it is kept when it is done", durationOption);
}

async function startOperation(type: string, options: StartOptions): Promise<void> {
  const payload = await readPayload(options);
  await withClient(options, async (client) => {
    const operation = await client.start(type, {
      ...(payload && { payload }),
      ...(options.label && { labels: options.label }),
      ...(options.description !== undefined && { description: options.description }),
      ...(options.requestId !== undefined && { requestId: options.requestId }),
      ...(options.parent !== undefined && { parent: options.parent }),
      ...(options.deadline !== undefined && { deadline: fromNow(options.deadline) }),
      ...(options.grace !== undefined && { graceMs: options.grace }),
      ...(!options.cancellable && { cancellable: false }),
      ...rulesOf(options),
    });
    if (options.wait) {
      const ended = await showWait(client, operation.name, {
        timeoutMs: undefined,
        json: options.json ?? false,
      });
      process.exitCode = outcomeExitCode(ended);
    } else if (options.json) {
      printJson(operationToJson(await operation.get()));
    } else {
      printLine(operation.name);
    }
  });
}

/** The rules that were given. */
function rulesOf(options: StartOptions): Omit<StartFields, "payload"> {
  const rules = {
    priority: options.priority,
    startDelayMs: options.delay,
    concurrencyKey: options.key,
    keyLimit: options.keyLimit,
    supersedeKey: options.supersede,
    unwatchedTimeoutMs: options.unwatched,
    maxAttempts: options.attempts,
    backoffMs: options.backoff,
    backoffMaxMs: options.backoffMax,
    attemptTimeoutMs: options.attemptTimeout,
    stallTimeoutMs: options.stallTimeout,
    retentionMs: options.retention,
  };
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
}

async function readPayload(options: StartOptions): Promise<JsonObject | undefined> {
  const { payload, payloadFile } = options;
  if (payload !== undefined) return parseJsonObject(payload, "--payload");
  if (payloadFile === undefined) return undefined;
  if (payloadFile === "-") return parseJsonObject(await text(process.stdin), "standard input");
  try {
    return parseJsonObject(readFileSync(payloadFile, "utf8"), payloadFile);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw new CliError(`cannot read the payload: ${error.message}`);
  }
}

function fromNow(durationMs: number): Date {
  return new Date(wallClockInstant() / 1000 + durationMs);
}
