// Reads one line of a chain file into its parts, strictly: a member more or less, or of another type, is a changed line.
import { CHAIN_FORMAT, type ChainHeader, type LineEntry } from "./chain-lines.ts";

export type ChainLine =
  | { type: "header"; header: ChainHeader }
  | { type: "entry"; entry: LineEntry }
  | {
      type: "checkpoint";
      checkpoint: { sequence: number; hash: string; time: string; keyId: string; signature: string };
    }
  | { type: "end"; end: { entries: number; checkpoints: number; digest: string } }
  | { type: "other"; problem: string };

type Shape = Readonly<Record<string, "string" | "count">>;

const entryShape: Shape = { sequence: "count", name: "string", content: "string", hash: "string" };
const checkpointShape: Shape = {
  sequence: "count",
  hash: "string",
  time: "string",
  keyId: "string",
  signature: "string",
};
const endShape: Shape = { entries: "count", checkpoints: "count", digest: "string" };
const headerShape: Shape = {
  format: "string",
  service: "string",
  tenant: "string",
  after: "count",
  afterHash: "string",
};

/** Reads a line; never throws. */
export function readChainLine(text: string): ChainLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { type: "other", problem: "the line is no JSON" };
  }
  if (!isObject(value)) return { type: "other", problem: "the line is no JSON object" };
  if ("format" in value) return readHeader(value);
  const [kind, ...more] = Object.keys(value);
  const body = kind === undefined ? undefined : value[kind];
  if (more.length === 0 && isObject(body)) {
    if (kind === "entry" && hasShape(body, entryShape))
      return { type: "entry", entry: body as unknown as LineEntry };
    if (kind === "checkpoint" && hasShape(body, checkpointShape))
      return { type: "checkpoint", checkpoint: body as never };
    if (kind === "end" && hasShape(body, endShape)) return { type: "end", end: body as never };
  }
  return { type: "other", problem: "the line is no header, entry, checkpoint or end" };
}

function readHeader(value: Record<string, unknown>): ChainLine {
  const { publicKeys, ...rest } = value;
  const areKeys = isObject(publicKeys) && Object.values(publicKeys).every((key) => typeof key === "string");
  if (!areKeys || !hasShape(rest, headerShape)) {
    return { type: "other", problem: "a member is missing, unknown or of another type" };
  }
  if (value["format"] !== CHAIN_FORMAT) {
    return { type: "other", problem: `the format is ${String(value["format"])}` };
  }
  return { type: "header", header: value as unknown as ChainHeader };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasShape(value: Record<string, unknown>, shape: Shape): boolean {
  const names = Object.keys(shape);
  if (Object.keys(value).length !== names.length) return false;
  return names.every((name) => {
    const member = value[name];
    return shape[name] === "count"
      ? Number.isSafeInteger(member) && Number(member) >= 0
      : typeof member === "string";
  });
}
