// A batch of commands on its way to the writer's thread. In a full batch most are of a few shapes (500 starts, 500 ends) and
// have nearly all values in common, so those of one shape cross as packed rows.
import type { Command } from "../../engine/commands.ts";
import type { Payload } from "../../engine/operation.ts";
import { mapRows, type PackedRows, packRows } from "./packed-rows.ts";

/** The commands of one shape: of one type, with the same properties in the same order. */
interface PackedCommands {
  /** Where in the batch they are. */
  at: readonly number[];
  properties: readonly string[];
  /** The values of the properties; of a key the name, and its service and tenant behind all others. */
  rows: PackedRows;
}

/** Commands that are cheap to clone. */
export interface CommandMessage {
  count: number;
  shapes: readonly PackedCommands[];
}

interface Shape {
  type: Command["type"];
  properties: readonly string[];
  at: number[];
  rows: unknown[][];
}

type Properties = Record<string, unknown>;

/** For the way to the writer's thread. */
export function encodeCommands(commands: readonly Command[]): CommandMessage {
  const shapes: Shape[] = [];
  let index = 0;
  for (const command of commands) {
    const shape = shapeOf(command, shapes) ?? addShape(shapes, command);
    shape.at.push(index++);
    shape.rows.push(toRow(command, shape.properties));
  }
  return {
    count: commands.length,
    shapes: shapes.map(({ at, properties, rows }) => ({ at, properties, rows: packRows(rows) })),
  };
}

function shapeOf(command: Command, shapes: readonly Shape[]): Shape | undefined {
  for (const shape of shapes) if (fits(command, shape)) return shape;
  return undefined;
}

function addShape(shapes: Shape[], command: Command): Shape {
  const shape: Shape = { type: command.type, properties: Object.keys(command), at: [], rows: [] };
  shapes.push(shape);
  return shape;
}

function fits(command: Command, { type, properties }: Shape): boolean {
  if (command.type !== type) return false;
  let at = 0;
  for (const property in command) if (properties[at++] !== property) return false;
  return at === properties.length;
}

function toRow(command: Command, properties: readonly string[]): unknown[] {
  const row: unknown[] = [];
  for (const property of properties) {
    const value = (command as unknown as Properties)[property];
    row.push(payloads.has(property) ? ownBytes(value as Payload | null) : value);
  }
  if (!("key" in command)) return row;
  const { service, tenant, name } = command.key;
  row[properties.indexOf("key")] = name;
  row.push(service, tenant);
  return row;
}

const payloads: ReadonlySet<string> = new Set(["request", "metadata", "checkpoint", "response"]);

/**
 * A view is cloned with all of the buffer under it: the bytes of a small payload, as they come from a decoder, would
 * take a whole received message (or an 8 KiB pool) with them.
 */
function ownBytes(payload: Payload | null): Payload | null {
  if (payload === null || payload.bytes.byteLength === payload.bytes.buffer.byteLength) return payload;
  return { ...payload, bytes: new Uint8Array(payload.bytes) };
}

/** On the writer's thread. */
export function decodeCommands({ count, shapes }: CommandMessage): Command[] {
  const commands: Command[] = new Array(count);
  for (const { at, properties, rows } of shapes) {
    const template: Properties = {};
    for (const [column, property] of properties.entries()) template[property] = rows.first[column];
    // Behind the properties are service and tenant.
    const varying = rows.varying.filter((column) => column < properties.length);
    const hasKey = properties.includes("key");
    let next = 0;
    mapRows(rows, (row) => {
      const command: Properties & { key?: unknown } = { ...template };
      for (const column of varying) command[properties[column] ?? ""] = row[column];
      if (hasKey) command.key = keyOf(row, command.key);
      commands[at[next++] ?? 0] = command as unknown as Command;
    });
  }
  return commands;
}

function keyOf(row: readonly unknown[], name: unknown): unknown {
  return { service: row[row.length - 2], tenant: row[row.length - 1], name };
}
