import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type Attributes,
  type Context,
  type Link,
  type Span,
  type SpanContext,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { eventually } from "../../testing/eventually.ts";
import { startTestServer, type TestServer } from "../../testing/test-server.ts";
import { defineOperation, RetryableError } from "../../worker/worker.ts";

/** A span that remembers what it was told. */
class KeptSpan implements Span {
  readonly name: string;
  readonly parent: SpanContext | undefined;
  readonly attributes: Attributes;
  readonly startTime: TimeInput | undefined;
  readonly links: Link[] = [];
  readonly events: string[] = [];
  status: SpanStatus = { code: SpanStatusCode.UNSET };
  endTime: TimeInput | undefined;

  constructor(name: string, options: SpanOptions, context: Context) {
    this.name = name;
    this.parent = trace.getSpanContext(context);
    this.attributes = { ...options.attributes };
    this.startTime = options.startTime;
  }

  spanContext(): SpanContext {
    return { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 };
  }
  setAttribute(key: string, value: Attributes[string]): this {
    this.attributes[key] = value;
    return this;
  }
  setAttributes(attributes: Attributes): this {
    Object.assign(this.attributes, attributes);
    return this;
  }
  addEvent(name: string): this {
    this.events.push(name);
    return this;
  }
  addLink(link: Link): this {
    this.links.push(link);
    return this;
  }
  addLinks(links: Link[]): this {
    this.links.push(...links);
    return this;
  }
  setStatus(status: SpanStatus): this {
    this.status = status;
    return this;
  }
  updateName(): this {
    return this;
  }
  end(endTime?: TimeInput): void {
    this.endTime = endTime ?? 0;
  }
  isRecording(): boolean {
    return true;
  }
  recordException(): void {}
}

const spans: KeptSpan[] = [];
const tracer = {
  startSpan(name: string, options: SpanOptions = {}, context: Context) {
    const span = new KeptSpan(name, options, context);
    spans.push(span);
    return span;
  },
} as unknown as Tracer;

let server: TestServer;
let failures = 0;

before(async () => {
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  server = await startTestServer({
    operations: [
      defineOperation({ type: "test.done" }, async () => ({ fine: true })),
      defineOperation({ type: "test.fails" }, async () => {
        throw new Error("it broke");
      }),
      defineOperation({ type: "test.twice", maxAttempts: 2, backoffMs: 1 }, async () => {
        if (failures++ === 0) throw new RetryableError("once");
        return {};
      }),
      defineOperation({ type: "test.waits" }, async ({ signal }) => {
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      }),
    ],
  });
  // The API is loaded when the engine is made, and not waited for.
  await eventually("the tracer is connected", async () => {
    await run("test.done");
    return spans.length > 0;
  });
});
after(async () => {
  await server.close();
  trace.disable();
});

const traceparent = (digit: string): string => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;

async function post(path: string, body: object, parent?: string): Promise<{ name: string }> {
  const headers = { "content-type": "application/json", ...(parent && { traceparent: parent }) };
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()) as { name: string };
}

async function run(type: string, parent?: string): Promise<string> {
  const { name } = await post("/belay/v1/operations", { type }, parent);
  await post(`/belay/v1/${name}:wait`, { timeout: "10s" });
  return name;
}

const spansOf = (name: string): KeptSpan[] =>
  spans.filter(({ attributes }) => attributes["belay.operation.name"] === name);

test("an attempt is a span of its caller's trace, with what ran and how it ended", async () => {
  const name = await run("test.done", traceparent("a"));
  const [span, ...more] = spansOf(name);
  assert.ok(span);
  assert.equal(more.length, 0);
  assert.equal(span.name, "belay.attempt test.done");
  assert.equal(span.parent?.traceId, "a".repeat(32));
  assert.equal(span.parent?.spanId, "a".repeat(16));
  assert.deepEqual(
    ["belay.service", "belay.tenant", "belay.operation.type", "belay.attempt", "belay.operation.state"].map(
      (key) => span.attributes[key],
    ),
    ["default", "default", "test.done", 1, "SUCCEEDED"],
  );
  assert.equal(span.status.code, SpanStatusCode.OK);
  assert.ok(Number(span.endTime) >= Number(span.startTime));
  assert.ok(Math.abs(Number(span.startTime) - server.engine.clock.now() / 1000) < 60_000);
});

test("a caller without a trace gets a span in a trace of its own", async () => {
  assert.equal(spansOf(await run("test.done"))[0]?.parent, undefined);
});

test("a failed attempt is an error with the operation's message", async () => {
  const [span] = spansOf(await run("test.fails"));
  assert.equal(span?.status.code, SpanStatusCode.ERROR);
  assert.match(span?.status.message ?? "", /it broke/);
});

test("each attempt has its own span", async () => {
  const found = spansOf(await run("test.twice", traceparent("b")));
  assert.deepEqual(
    found.map(({ attributes, status, parent }) => [
      attributes["belay.attempt"],
      status.code,
      parent?.traceId,
    ]),
    [
      [1, SpanStatusCode.ERROR, "b".repeat(32)],
      [2, SpanStatusCode.OK, "b".repeat(32)],
    ],
  );
  assert.ok(found.every(({ endTime }) => endTime !== undefined));
});

test("a cancel is an event of the span, linked to the trace of the call that asked for it", async () => {
  const { name } = await post("/belay/v1/operations", { type: "test.waits" }, traceparent("c"));
  await eventually("it runs", () => spansOf(name).length === 1);
  await post(`/belay/v1/${name}:cancel`, { reason: "enough", wait: "10s" }, traceparent("d"));
  const [span] = spansOf(name);
  assert.equal(span?.parent?.traceId, "c".repeat(32));
  assert.deepEqual(span?.events, ["belay.cancel.requested"]);
  assert.deepEqual(
    span?.links.map(({ context }) => context.traceId),
    ["d".repeat(32)],
  );
  assert.equal(span?.attributes["belay.cancel.evidence"], "HANDLER_STOPPED");
  assert.equal(span?.attributes["belay.operation.state"], "CANCELLED");
  assert.equal(span?.status.code, SpanStatusCode.UNSET);
  assert.notEqual(span?.endTime, undefined);
});

test("an operation that never began has no span", async () => {
  const before = spans.length;
  const { name } = await post("/belay/v1/operations", { type: "test.waits", startDelay: "60s" });
  await post(`/belay/v1/${name}:cancel`, {});
  assert.equal(spans.length, before);
});
