import assert from "node:assert/strict";
import { test } from "node:test";
import { OperationAborted } from "../base/abort-reasons.ts";
import { RetryableError } from "./define-operation.ts";
import { cutText, failureOf, responseOf } from "./handler-failure.ts";

const reason = new OperationAborted({ cause: "cancel" });
const other = new OperationAborted({ cause: "cancel" });

const abortRows: readonly [name: string, thrown: unknown, caused: boolean][] = [
  ["the reason itself", reason, true],
  [
    "an AbortError that carries it as cause",
    new DOMException("aborted", { name: "AbortError", cause: reason }),
    true,
  ],
  ["two steps along the cause chain", new Error("a", { cause: new Error("b", { cause: reason }) }), true],
  ["another abort of the same kind", other, false], // identity counts, not likeness
  ["an AbortError of its own", new DOMException("aborted", "AbortError"), false],
  ["the reason's message as text", reason.message, false],
  ["undefined", undefined, false],
];

for (const [name, thrown, caused] of abortRows) {
  test(`${name} ${caused ? "counts" : "does not count"} as caused by the abort`, () => {
    assert.equal(failureOf(thrown, reason).abortCaused, caused);
  });
}

test("without an abort nothing is caused by it", () => {
  assert.equal(failureOf(undefined, undefined).abortCaused, false);
});

const codeRows: readonly [name: string, thrown: unknown, code: number][] = [
  ["a plain error", new Error("x"), 2],
  ["a google.rpc code", Object.assign(new Error("x"), { code: 5 }), 5],
  ["CANCELLED of the handler's own", Object.assign(new Error("x"), { code: 1 }), 2], // CANCELLED is the server's to give
  ["OK", Object.assign(new Error("x"), { code: 0 }), 2],
  ["a number that is no code", Object.assign(new Error("x"), { code: 17 }), 2],
  ["a system error", Object.assign(new Error("x"), { code: "ENOENT" }), 2],
  ["a DOMException, whose numbers mean other things", new DOMException("x", "NotFoundError"), 2],
  ["a string", "x", 2],
];

for (const [name, thrown, code] of codeRows) {
  test(`${name} fails with code ${code}`, () => assert.equal(failureOf(thrown, undefined).error.code, code));
}

test("a RetryableError is retryable, from another copy of this package too", () => {
  class Foreign extends Error {
    override name = "RetryableError";
  }
  assert.equal(failureOf(new RetryableError("x"), undefined).retryable, true);
  assert.equal(failureOf(new Foreign("x"), undefined).retryable, true);
  assert.equal(failureOf(new Error("x"), undefined).retryable, false);
});

test("a message is cut at 4096 and is well-formed", () => {
  const { message } = failureOf(new Error("\u{1F600}".repeat(4000)), undefined).error;
  assert.ok(message.length <= 4096 && message.isWellFormed() && message.endsWith("..."));
  assert.equal(cutText("\uD800", 10), "\uFFFD");
});

test("nothing and a JSON object are responses; all else is the handler's fault", () => {
  assert.equal(responseOf(undefined), null);
  assert.deepEqual(responseOf({ a: [1] }), { a: [1] });
  const loop: { self?: unknown } = {};
  loop.self = loop;
  for (const returned of ["text", 1, [1], { a: 1n }, { at: new Map() }, loop, { a: "x".repeat(300_000) }]) {
    assert.throws(() => responseOf(returned), { name: "ResponseRefused", code: 13 });
  }
});
