// Reads transcripts: blocks of a head line, indented command lines, `----`, and the lines that are expected.
// `setup` runs before every cell; `cell NAME` starts afresh; `then` goes on in the same cell. `#` starts a comment line.

export interface Block {
  commands: readonly string[];
  expected: readonly string[];
  /** The line in the file where the expected lines begin, counted from 0, and how many they are. */
  expectedAt: number;
}

export interface Cell {
  name: string;
  blocks: readonly Block[];
}

export interface Transcript {
  setup: Block | null;
  cells: readonly Cell[];
}

/** Throws on a block that is not of the form above. */
export function parseTranscript(text: string): Transcript {
  const lines = text.split("\n");
  let setup: Block | null = null;
  const cells: { name: string; blocks: Block[] }[] = [];
  for (let at = 0; at < lines.length; ) {
    const head = lines[at] ?? "";
    if (head.trim() === "" || head.startsWith("#")) {
      at++;
      continue;
    }
    const { block, end } = parseBlock(lines, at);
    if (head === "setup") setup = block;
    else if (head.startsWith("cell "))
      cells.push({ name: head.slice("cell ".length).trim(), blocks: [block] });
    else if (head === "then" && cells.length > 0) cells.at(-1)?.blocks.push(block);
    else throw new Error(`line ${at + 1}: "${head}" is none of setup, cell NAME, then`);
    at = end;
  }
  return { setup, cells };
}

function parseBlock(lines: readonly string[], start: number): { block: Block; end: number } {
  const commands: string[] = [];
  let at = start + 1;
  for (; lines[at] !== "----"; at++) {
    const line = lines[at];
    if (line === undefined || line.trim() === "") throw new Error(`line ${start + 1}: the block has no ----`);
    if (!line.trim().startsWith("#")) commands.push(line.trim());
  }
  const expectedAt = at + 1;
  const expected: string[] = [];
  for (at = expectedAt; (lines[at] ?? "").trim() !== ""; at++) expected.push(lines[at] ?? "");
  return { block: { commands, expected, expectedAt }, end: at };
}

/** The file with other expected lines: for UPDATE=1. */
export function rewrite(
  text: string,
  changes: readonly { block: Block; lines: readonly string[] }[],
): string {
  const all = text.split("\n");
  for (const { block, lines } of [...changes].sort((a, b) => b.block.expectedAt - a.block.expectedAt)) {
    all.splice(block.expectedAt, block.expected.length, ...lines);
  }
  return all.join("\n");
}
