// belay explain: why an operation is not done, and what happens next.
import type { Command } from "commander";
import { messageJson } from "../../client/operation-json.ts";
import { ExplanationSchema } from "../../protocol/gen/belay/v1/operations_pb.ts";
import { addClientOptions, type ClientOptions, withClient } from "../client-options.ts";
import { addExamples, operationName } from "../command-options.ts";
import { stateCell, timeText } from "../operation-view.ts";
import { printFields, printJson } from "../output.ts";

/** Defines `belay explain`. */
export function defineExplain(command: Command): void {
  command
    .description(
      "Says why an operation is still pending, running or cancelling: what holds it, the most important first, and what " +
        "happens next by itself.",
    )
    .argument("<name>", "the operation's name; operations/ may be left out");
  addClientOptions(command);
  addExamples(command, ["belay explain $NAME", "belay explain $NAME --json"]);
  command.action(explainOperation);
}

async function explainOperation(name: string, options: ClientOptions): Promise<void> {
  const explanation = await withClient(options, (client) => client.explain(operationName(name)));
  if (options.json) {
    printJson(messageJson(ExplanationSchema, explanation));
    return;
  }
  const { reasons, nextStep, nextTime } = explanation;
  printFields([
    ["name", explanation.name],
    ["state", stateCell(explanation)],
    ["summary", explanation.summary],
    ...reasons.map(({ code, text, about }): [string, string] => [
      "because",
      [`${code}: ${text}`, aboutText(about.filter((each) => !text.includes(each)))].filter(Boolean).join(" "),
    ]),
    ["next", [nextStep, nextTime && `at ${timeText(nextTime)}`].filter(Boolean).join(", ")],
  ]);
}

const ABOUT_SHOWN = 5;

function aboutText(about: readonly string[]): string {
  if (about.length === 0) return "";
  const more = about.length - ABOUT_SHOWN;
  return `(${about.slice(0, ABOUT_SHOWN).join(", ")}${more > 0 ? `, and ${more} more` : ""})`;
}
