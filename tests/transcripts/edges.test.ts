// Every command in every situation of an operation, against tables written by hand from the specification (edges/*.txt):
// each pair is answered, accepted or refused with a reason; nothing throws, and no pair is left out.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { OperationCommand } from "../../src/engine/commands.ts";
import { type OperationRecord, operationStates } from "../../src/engine/operation.ts";
import { commandOf, parseLine } from "./command-line.ts";
import { LedgerWorld } from "./ledger-world.ts";

const commandTypes: readonly OperationCommand["type"][] = [
  "start",
  "assign",
  "begin",
  "return",
  "release",
  "progress",
  "checkpoint",
  "cancelPhase",
  "complete",
  "fail",
  "stopped",
  "cancel",
  "delete",
  "expireLease",
  "tick",
];

const folder = new URL("edges/", import.meta.url);

interface Table {
  situations: ReadonlyMap<string, readonly string[]>;
  columns: readonly string[];
  rows: readonly { command: string; cells: readonly string[] }[];
}

function parseTable(text: string): Table {
  const [head = "", body = ""] = text.split("\n----\n");
  const situations = new Map<string, readonly string[]>();
  for (const line of head.split("\n").filter((one) => one !== "" && !one.startsWith("#"))) {
    const [name = "", script = ""] = line.split(/:(.*)/s);
    situations.set(
      name,
      script
        .split(";")
        .map((command) => command.trim())
        .filter((command) => command !== ""),
    );
  }
  const [header = "", ...lines] = body.split("\n").filter((line) => line.trim() !== "");
  const columns = header.trim().split(/ {2,}/);
  const rows = lines.map((line) => {
    const [command = "", ...cells] = line.trim().split(/ {2,}/);
    return { command, cells: cells.length === 1 ? columns.map(() => cells[0] ?? "") : cells };
  });
  return { situations, columns, rows };
}

/** What a line did, as the tables say it. */
function outcomeText(shown: string, before: OperationRecord | null, after: OperationRecord | null): string {
  const refusal = /^refused (\w+)/.exec(shown);
  if (refusal) return refusal[1] ?? "";
  if (after === before || after === null) return "0";
  if (after.state !== before?.state) return `->${after.state}`;
  if (shown.startsWith("late")) return "late";
  return after.revision === before.revision ? "unseen" : "same";
}

async function run(script: readonly string[], command: string): Promise<string> {
  const world = new LedgerWorld();
  for (const line of script) {
    const [shown = ""] = await world.run(line);
    assert.doesNotMatch(shown, /^refused/, `the situation cannot be made: ${line}`);
  }
  const before = world.record("a");
  const [shown = ""] = await world.run(command);
  return outcomeText(shown, before, world.record("a"));
}

const tables = readdirSync(folder).map((file) => ({
  file,
  table: parseTable(readFileSync(new URL(file, folder), "utf8")),
}));

for (const { file, table } of tables) {
  for (const [index, column] of table.columns.entries()) {
    test(`${file}: ${column}: every command is answered as the specification says`, async () => {
      const script = table.situations.get(column);
      assert.ok(script, `no situation is called "${column}"`);
      const differences: string[] = [];
      for (const { command, cells } of table.rows) {
        const actual = await run(script, command);
        if (actual !== cells[index]) differences.push(`${command}: expected ${cells[index]}, got ${actual}`);
      }
      assert.deepEqual(differences, []);
    });
  }
}

test("the tables leave out no command and no state", async () => {
  const [first] = tables;
  const commands = first?.table.rows.map((row) => row.command) ?? [];
  const states = new Set<string>();
  for (const { file, table } of tables) {
    assert.deepEqual(
      table.rows.map((row) => row.command),
      commands,
      `${file} has other rows`,
    );
    assert.deepEqual(
      [...table.situations.keys()],
      table.columns,
      `${file} has other columns than situations`,
    );
    for (const row of table.rows)
      assert.equal(row.cells.length, table.columns.length, `${file}: ${row.command}`);
    for (const script of table.situations.values()) {
      const world = new LedgerWorld();
      for (const line of script) await world.run(line);
      states.add(world.record("a")?.state ?? "none");
    }
  }
  assert.deepEqual([...states].sort(), ["none", ...operationStates].sort());
  const types = new Set(commands.map((command) => commandOf(parseLine(command), null, 0)?.type ?? command));
  assert.deepEqual([...types].sort(), [...commandTypes].sort());
});
