// The search for an order: what only an order can tell, and that it stays quick where many calls overlap.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Call } from "./history.ts";
import { NEVER } from "./history.ts";
import { linearize } from "./linearize.ts";
import { call, succeeded, viewAt } from "./told-history.ts";

const running = viewAt(2, { state: "RUNNING", attempt: 1 });
const cancelling = viewAt(3, { state: "CANCELLING", attempt: 1, cause: "cancel" });

test("calls that overlap may have come in any order", () => {
  const start = call("start", 0, 100, { view: viewAt(1, {}) });
  assert.equal(linearize([start, call("get", 1, 90, { view: running })]).kind, "linearizable");
  assert.equal(
    linearize([call("get", 1, 90, { view: running }), { ...start, startMs: 91 }]).kind,
    "not linearizable",
  );
});

test("a call that was not answered may have come at any time after it was sent, or never", () => {
  const start = call("start", 0, 1, { view: viewAt(1, {}) });
  const cancel = call("cancel", 5, NEVER, { outcome: "unknown" });
  const cancelledAt = (startMs: number): Call => call("get", startMs, startMs + 1, { view: cancelling });
  assert.equal(linearize([start, cancel, cancelledAt(50)]).kind, "linearizable");
  assert.equal(linearize([start, cancel, cancelledAt(3)]).kind, "not linearizable");
  assert.equal(linearize([start, cancel, call("get", 50, 51, { view: running })]).kind, "linearizable");
});

test("a cancel that google answered shows, unless the operation had ended", () => {
  const calls = [call("start", 0, 1, { view: viewAt(1, {}) }), call("cancel", 5, 6)];
  assert.equal(linearize([...calls, call("get", 9, 10, { view: running })]).kind, "not linearizable");
  assert.equal(linearize([...calls, call("get", 9, 10, { view: cancelling })]).kind, "linearizable");
  assert.equal(linearize([...calls, call("get", 9, 10, { view: succeeded(3) })]).kind, "linearizable");
});

test("a cancel may be answered with what the operation has become since", () => {
  const end = succeeded(4, { cause: "cancel" });
  const calls = [
    call("start", 0, 1, { view: viewAt(1, {}) }),
    call("get", 2, 3, { view: running }),
    call("cancel", 4, 40, { verdict: "STOPPING", view: end }),
    call("cancel", 10, 12, { verdict: "ALREADY_STOPPING", view: cancelling }),
  ];
  assert.equal(linearize(calls).kind, "linearizable");
  assert.equal(linearize([...calls, call("get", 41, 42, { view: cancelling })]).kind, "not linearizable");
});

test("what google did not tell of an end may be told later", () => {
  const calls = [call("start", 0, 1, { view: viewAt(1, {}) }), call("cancel", 5, 6)];
  const googles = call("get", 9, 10, { view: { done: true, state: "SUCCEEDED" } });
  const end = succeeded(4, { cause: "cancel" });
  assert.equal(linearize([...calls, googles, call("get", 12, 13, { view: end })]).kind, "linearizable");
  assert.equal(
    linearize([...calls, googles, call("get", 12, 13, { view: running })]).kind,
    "not linearizable",
  );
});

test("the story names the longest order and what could not follow", () => {
  const { text } = linearize([
    call("start", 0, 1, { view: viewAt(1, {}) }),
    call("get", 2, 3, { view: running }),
    call("get", 4, 5, { view: viewAt(1, {}) }),
  ]);
  assert.match(text, /start ok .*\n.*get ok .*RUNNING[\s\S]*revision 1 was shown after revision 2/);
});

test("a hundred calls at once, half of them never answered, are ordered in no time", () => {
  const calls: Call[] = [call("start", 0, 1000, { view: viewAt(1, {}) })];
  for (let count = 0; count < 50; count++) {
    calls.push(call("get", 0, 1000, { view: count % 2 ? running : cancelling }));
    calls.push(call("cancel", 0, NEVER, { outcome: "unknown" }));
  }
  const beginMs = performance.now();
  assert.equal(linearize(calls).kind, "linearizable");
  const bad = [
    ...calls,
    call("get", 0, 1000, { view: viewAt(9, { state: "CANCELLED", attempt: 2, cause: "cancel" }) }),
  ];
  assert.equal(linearize(bad).kind, "not linearizable");
  assert.ok(performance.now() - beginMs < 1000, "within a second");
});
