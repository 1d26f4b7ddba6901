import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Operation, OperationSchema, State } from "../protocol/gen/belay/v1/operations_pb.ts";
import { LiveTable, renderTable, type TableContent } from "./live-table.ts";

type Fields = MessageInitShape<typeof OperationSchema>;

function operation(name: string, fields: Fields = {}): Operation {
  return create(OperationSchema, {
    name,
    state: State.RUNNING,
    createTime: timestampFromMs(1000),
    ...fields,
  });
}

function lines(operations: readonly Operation[], content: Partial<TableContent> = {}): string[] {
  const shown = renderTable({ operations, forgotten: 0, columns: 80, rows: 24, nowMs: 3000, ...content });
  return shown.map((cells) =>
    cells
      .map(({ text }) => text)
      .join("")
      .trimEnd(),
  );
}

const ended = { state: State.SUCCEEDED, done: true, endTime: timestampFromMs(2000) };

test("names and states stand in columns, and a summary counts the states", () => {
  const running = operation("operations/a", { progress: { percent: 50, message: "page 5" } });
  const failed = operation("operations/long", {
    ...ended,
    state: State.FAILED,
    result: { case: "error", value: { code: 2, message: "no such\nfile" } },
  });
  assert.deepEqual(lines([running, failed]), [
    "operations/a    RUNNING    [##########----------]  50%   2.0s page 5",
    "operations/long FAILED                                   1.0s no such file",
    "2 operations, 1 RUNNING, 1 FAILED",
  ]);
});

test("what is live is shown before what has ended, and the rest is counted", () => {
  const done = ["d1", "d2", "d3"].map((name) => operation(name, ended));
  const shown = lines([...done, operation("live")], { rows: 3 });
  assert.match(shown[0]!, /^d3 /);
  assert.match(shown[1]!, /^live /);
  assert.equal(shown[2], "4 operations, 3 SUCCEEDED, 1 RUNNING (2 not shown)");
});

test("more live operations than lines leave the last ones out", () => {
  const live = ["l1", "l2", "l3", "l4"].map((name) => operation(name));
  const shown = lines([...live, operation("d1", ended)], { rows: 3 });
  assert.deepEqual(
    shown.slice(0, 2).map((line) => line.slice(0, 2)),
    ["l1", "l2"],
  );
  assert.match(shown[2]!, /\(3 not shown\)$/);
});

test("no line is wider than the terminal", () => {
  for (const columns of [0, 5, 12, 20, 40, 79]) {
    const message = { progress: { percent: 99, message: "m".repeat(200) } };
    for (const line of lines([operation("operations/opr0mh1k2j3c4v5b6n7q8", message)], { columns })) {
      assert.ok(line.length <= columns, `${line.length} > ${columns}`);
    }
  }
});

test("the table is drawn over itself, and only when something changed", () => {
  const written: string[] = [];
  const terminal = { columns: 80, rows: 24, write: (text: string) => written.push(text) };
  const table = new LiveTable(terminal, () => 3000);
  table.take(operation("operations/a"));
  table.draw();
  table.draw();
  table.take(operation("operations/b"));
  table.draw();
  table.end();
  assert.equal(written.length, 2);
  assert.ok(written[1]!.startsWith("\u001b[2A\r"));
});
