// Runs every transcript, and holds them against the race matrix: each cell is shown, and shows what the matrix says.
// Those in this folder run over the pure core, those in engine/ over the real engine and store. UPDATE=1 rewrites their expected lines, never the matrix: read the diff.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { EngineWorld } from "./engine-world.ts";
import { LedgerWorld } from "./ledger-world.ts";
import { matrixColumns, parseMatrix } from "./race-matrix.ts";
import { type Block, type Cell, parseTranscript, rewrite, type Transcript } from "./transcript.ts";

const isUpdate = process.env["UPDATE"] === "1";

interface World {
  run(line: string): Promise<string[]>;
  close(): Promise<void>;
}

interface File {
  name: string;
  url: URL;
  text: string;
  transcript: Transcript;
  changes: { block: Block; lines: readonly string[] }[];
  makeWorld(): Promise<World>;
}

function readFolder(path: string, makeWorld: () => Promise<World>): File[] {
  const folder = new URL(path, import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith(".txt") && name !== "race-matrix.txt");
  return names.map((name) => {
    const url = new URL(name, folder);
    const text = readFileSync(url, "utf8");
    return {
      name: path.slice(2) + name,
      url,
      text,
      transcript: parseTranscript(text),
      changes: [],
      makeWorld,
    };
  });
}

const files = [
  ...readFolder("./", async () => new LedgerWorld()),
  ...readFolder("./engine/", () => EngineWorld.open()),
];

async function runBlock(world: World, file: File, block: Block): Promise<void> {
  const shown: string[] = [];
  for (const command of block.commands) shown.push(...(await world.run(command)));
  if (isUpdate) file.changes.push({ block, lines: shown });
  else assert.deepEqual(shown, block.expected, `${file.name}, line ${block.expectedAt + 1}`);
}

async function runCell(file: File, cell: Cell): Promise<void> {
  const world = await file.makeWorld();
  try {
    if (file.transcript.setup) await runBlock(world, file, file.transcript.setup);
    for (const block of cell.blocks) await runBlock(world, file, block);
  } finally {
    await world.close();
  }
}

for (const file of files) {
  for (const cell of file.transcript.cells) test(`${file.name}: ${cell.name}`, () => runCell(file, cell));
}

const matrix = parseMatrix(readFileSync(new URL("race-matrix.txt", import.meta.url), "utf8"));

test("the race matrix has every column in every row", () => {
  for (const row of matrix) {
    const columns = row.cells.map((cell) => cell.column);
    for (const column of matrixColumns)
      assert.ok(columns.includes(column), `${row.name}: no cell for ${column}`);
  }
});

for (const row of matrix) {
  test(`race matrix: ${row.name}: every cell is shown and says what it must`, () => {
    const file = files.find(({ name }) => name === row.file);
    assert.ok(file, `there is no transcript ${row.file}`);
    for (const { column, words } of row.cells) {
      const cell = file.transcript.cells.find(({ name }) => name === column);
      assert.ok(cell, `${row.file} shows no cell ${column}`);
      const shown = cell.blocks.flatMap((block) => block.expected).join("\n");
      for (const word of words)
        assert.ok(shown.includes(word), `${row.file}: ${column} does not say "${word}":\n${shown}`);
    }
    const known = row.cells.map((cell) => cell.column);
    const unlisted = file.transcript.cells.map(({ name }) => name).filter((name) => !known.includes(name));
    assert.deepEqual(unlisted, [], `${row.file} shows cells that the matrix does not list`);
  });
}

after(() => {
  for (const { url, text, changes } of files) {
    const distinct = new Map(changes.map((change) => [change.block.expectedAt, change]));
    if (distinct.size > 0) writeFileSync(url, rewrite(text, [...distinct.values()]));
  }
});
