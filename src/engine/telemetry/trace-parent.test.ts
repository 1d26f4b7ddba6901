import assert from "node:assert/strict";
import { test } from "node:test";
import { readTraceParent } from "./trace-parent.ts";

const trace = "0af7651916cd43dd8448eb211c80319c";
const span = "b7ad6b7169203331";

test("a traceparent is read, with its sampled flag", () => {
  const context = { traceId: trace, spanId: span, isRemote: true };
  assert.deepEqual(readTraceParent(`00-${trace}-${span}-01`), { ...context, traceFlags: 1 });
  assert.deepEqual(readTraceParent(`00-${trace}-${span}-00`), { ...context, traceFlags: 0 });
  assert.deepEqual(readTraceParent(`00-${trace}-${span}-fe`), { ...context, traceFlags: 0 });
});

test("a later version may be longer; its first parts count", () => {
  assert.equal(readTraceParent(`cc-${trace}-${span}-01-what-comes-later`)?.traceId, trace);
});

const wrong: readonly (string | undefined)[] = [
  undefined,
  "",
  `00-${trace}-${span}`,
  `00-${trace}-${span}-01-more`,
  `ff-${trace}-${span}-01`,
  `00-${"0".repeat(32)}-${span}-01`,
  `00-${trace}-${"0".repeat(16)}-01`,
  `00-${trace.toUpperCase()}-${span}-01`,
  `00-${trace}-${span}-1`,
  ` 00-${trace}-${span}-01`,
];
for (const text of wrong) {
  test(`no trace context: ${text}`, () => assert.equal(readTraceParent(text), undefined));
}
