// Writes docs/reference/cli.md from the commands' own definitions: node scripts/write-cli-reference.ts
// A test renders it again and compares.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { commandExamples } from "../src/cli/command-options.ts";
import { exitCodeMeanings, exitCodes } from "../src/cli/exit-codes.ts";
import { commandEntries, createProgram } from "../src/cli/program.ts";

/** Where the reference lives. */
export const cliReferencePath: string = fileURLToPath(new URL("../docs/reference/cli.md", import.meta.url));

const introduction = `# The \`belay\` command

<!-- Written by scripts/write-cli-reference.ts from the commands' definitions; do not edit by hand. -->

In a clone \`npx belay\` runs it; an installed package has \`belay\`. It needs Node.js 24 or later.

- Results go to standard output, everything else (progress, notes, errors) to standard error. An error is one line.
- \`--json\` prints one JSON document: the ProtoJSON of \`belay.v1\`, as the REST API answers it; \`belay watch\` one a line.
- \`operations/\` may be left out of a name: \`belay get opr0mh1k2j3c4v5b6n7q8\`.
- Durations have a unit: \`500ms\`, \`30s\`, \`1.5m\`, \`2h\`, \`7d\`.
- Colours, bars and live tables appear on a terminal only; \`NO_COLOR\` turns colours off.
- Ctrl-C ends a wait or a watch, never the operation; only \`belay exec\` passes it on, as a cancel.
`;

/** The whole page. */
export async function renderCliReference(): Promise<string> {
  const program = await createProgram(() => true);
  const sections = commandEntries.map(({ name }) => {
    const command = program.commands.find((candidate) => candidate.name() === name);
    if (!command) throw new Error(`the command ${name} is not defined`);
    return renderCommand(command);
  });
  return `${[introduction, ...sections, renderExitCodes()].join("\n")}`;
}

function renderCommand(command: Command): string {
  const help = command.createHelp();
  const argumentRows = help
    .visibleArguments(command)
    .map((argument) => [`\`${help.argumentTerm(argument)}\``, help.argumentDescription(argument)]);
  const optionRows = help
    .visibleOptions(command)
    .filter((option) => option.long !== "--help")
    .map((option) => [`\`${help.optionTerm(option)}\``, help.optionDescription(option)]);
  const parts = [
    `## belay ${command.name()}\n`,
    `${help.commandDescription(command)}\n`,
    `\`\`\`\n${help.commandUsage(command)}\n\`\`\`\n`,
    argumentRows.length > 0 ? table(["Argument", "Meaning"], argumentRows) : "",
    table(["Option", "Meaning"], optionRows),
    `Examples:\n\n\`\`\`sh\n${commandExamples(command).join("\n")}\n\`\`\`\n`,
  ];
  return parts.filter(Boolean).join("\n");
}

function renderExitCodes(): string {
  const names = Object.keys(exitCodes) as (keyof typeof exitCodes)[];
  const rows = names.map((name) => [String(exitCodes[name]), exitCodeMeanings[name]]);
  return `## Exit codes\n\n${table(["Code", "Meaning"], rows)}`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return `${[line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n")}\n`;
}

if (import.meta.main) writeFileSync(cliReferencePath, await renderCliReference());
