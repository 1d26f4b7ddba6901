// Commands and results on their way between the threads: what arrives is what was sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../../engine/commands.ts";
import { decodeCommands, encodeCommands } from "./command-message.ts";
import { mapRows, packRows } from "./packed-rows.ts";

const key = (name: string, tenant = "t"): { service: string; tenant: string; name: string } => ({
  ...{ service: "s", tenant, name },
});
const complete = (name: string, response: Uint8Array, more = {}): Command => ({
  ...{ type: "complete", key: key(name), session: "ses", token: name.length, digest: `digest of ${name}` },
  ...{ response: { typeUrl: "t/x", bytes: response }, ...more },
});

function crossed(commands: readonly Command[]): Command[] {
  return decodeCommands(structuredClone(encodeCommands(commands)));
}

test("commands arrive in their order and with the properties that they had, whatever their shapes", () => {
  const steps = [{ phase: "DELIVERED", detail: "", agoMs: 3 }] as const;
  const commands: Command[] = [
    complete("a", Uint8Array.of(1)),
    { type: "heartbeat", session: "ses" },
    complete("bb", Uint8Array.of(2), { steps }),
    { type: "watched", key: key("a", "other") },
    complete("ccc", Uint8Array.of(3)),
    { type: "heartbeat", session: "ses", node: "n" },
    { type: "watched", key: key("b") },
    { type: "tick", key: key("a") },
  ];
  assert.deepEqual(crossed(commands), commands);
  assert.deepEqual(crossed([]), []);
});

test("an object that commands share is shared on the other side, too", () => {
  const bytes = new Uint8Array();
  const response = { typeUrl: "t/x", bytes };
  const [first, second] = crossed(["a", "bb"].map((name) => complete(name, bytes, { response })));
  assert(first?.type === "complete" && second?.type === "complete");
  assert.equal(first.response, second.response);
  assert.notEqual(first.key, second.key);
});

test("a small payload does not take the whole buffer with it that it lies in", () => {
  const [command] = crossed([complete("a", new Uint8Array(8192).subarray(10, 14))]);
  assert(command?.type === "complete");
  assert.equal(command.response.bytes.byteLength, 4);
  assert.equal(command.response.bytes.buffer.byteLength, 4);
});

test("rows arrive as they were packed, each an array of its own", () => {
  for (const rows of [
    [],
    [[1, null, "x"]],
    [
      [1, "a"],
      [1, "b"],
      [2, "b"],
    ],
  ]) {
    assert.deepEqual(
      mapRows(structuredClone(packRows(rows)), (row) => [...row]),
      rows,
    );
  }
  assert.deepEqual(
    packRows([
      [1, "a"],
      [1, "b"],
    ]).varying,
    [1],
  );
});
