// The caps by themselves, with calls that stay in flight for as long as the test likes; over the wire they are in
// tests/conformance/lro/overload.long.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Measurements } from "../../base/measurements.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { instruments } from "../../base/telemetry.ts";
import { type MethodKind, methodKinds } from "../../services/service-declaration.ts";
import { defaultLimits } from "../config.ts";
import { LoopDelay } from "../overload/loop-delay.ts";
import type { ServerCall } from "../server-call.ts";
import { Limits, type LimitsOptions } from "./limits.ts";

/** What the limits look at. */
function call(kind: MethodKind, { tenant = "acme", peer = "127.0.0.1:1", isProbe = false } = {}): ServerCall {
  const method = { kind, service: { isProbe } };
  return { method, peer, principal: { tenant }, startMs: 1000 } as unknown as ServerCall;
}

function limitsOf(changed: Partial<typeof defaultLimits>, options: LimitsOptions = {}): Limits {
  return new Limits({ ...defaultLimits, ...changed }, options);
}

/** The reason why a call is refused, with what and how much; null: it is let in. */
function refusal(limits: Limits, ...given: Parameters<typeof call>): string | null {
  const one = call(...given);
  try {
    limits.before(one);
  } catch (error) {
    assert.ok(error instanceof RpcError && (error.retryDelayMs ?? 0) >= 500);
    assert.ok((error.retryDelayMs ?? 0) <= 1000);
    return error.message;
  }
  limits.after(one);
  return null;
}

/** How many starts must be in flight, out of 100, before each kind is refused. */
test("kinds are refused in the shed order, and what frees work never is", () => {
  const limits = limitsOf({ callsInFlightMax: 100 });
  const refusedAt: Partial<Record<MethodKind, number>> = {};
  for (let inFlight = 0; inFlight <= 100; inFlight++) {
    for (const kind of methodKinds) {
      if (refusal(limits, kind) !== null) refusedAt[kind] ??= inFlight;
    }
    if (inFlight < 100) limits.before(call("start"));
  }
  assert.deepEqual(refusedAt, { list: 60, watch: 60, wait: 75, get: 90, start: 100 });
});

test("held waits, streams and what is never refused are not in flight", () => {
  const limits = limitsOf({ callsInFlightMax: 1 });
  const held: MethodKind[] = ["cancel", "force", "delete", "work"];
  for (const kind of held) for (let count = 0; count < 10; count++) limits.before(call(kind));
  assert.equal(refusal(limits, "start"), null);
});

test("a probe is let in whatever is in flight", () => {
  const limits = limitsOf({ callsInFlightMax: 0, loopDelayMaxMs: 0, waitsPerConnectionMax: 0 });
  for (const kind of ["get", "list", "watch"] as const) {
    assert.equal(refusal(limits, kind, { isProbe: true }), null);
    assert.notEqual(refusal(limits, kind), null);
  }
});

test("a tenant at its cap is refused, and the others are not", () => {
  const limits = limitsOf({ callsInFlightMax: 30, callsPerTenantMax: 10 });
  for (let count = 0; count < 10; count++) limits.before(call("start", { tenant: "flood" }));
  assert.match(
    refusal(limits, "start", { tenant: "flood" }) ?? "",
    /one tenant, for start, is at its limit of 10/,
  );
  for (const kind of methodKinds) assert.equal(refusal(limits, kind, { tenant: "quiet" }), null, kind);
});

test("a late event loop refuses in the same order, but no wait; modest tenants only when it is twice as late", () => {
  const loopDelay = new LoopDelay();
  const limits = limitsOf({ loopDelayMaxMs: 100 }, { loopDelay });
  const late = (ms: number): void => {
    for (let sample = 0; sample < 3; sample++) loopDelay.sample(ms);
  };
  const flood = { tenant: "flood" };
  const shed = (who: { tenant: string }): MethodKind[] =>
    methodKinds.filter((kind) => refusal(limits, kind, who) !== null);
  for (let count = 0; count < 500; count++) refusal(limits, "start", flood);
  late(59);
  assert.deepEqual(shed(flood), []);
  late(80);
  assert.deepEqual(shed(flood), ["list", "watch"]);
  late(120);
  assert.deepEqual(shed(flood), ["get", "list", "watch", "start"]);
  assert.deepEqual(shed({ tenant: "quiet" }), ["list", "watch"]);
  late(200);
  assert.deepEqual(shed({ tenant: "quiet" }), ["get", "list", "watch", "start"]);
});

test("a long queue of commits refuses starts, and nothing else", () => {
  const queue = { commitsWaiting: 0 };
  const limits = limitsOf({ commitsWaitingMax: 100 }, { queue });
  const shed = (): MethodKind[] => methodKinds.filter((kind) => refusal(limits, kind) !== null);
  queue.commitsWaiting = 99;
  assert.deepEqual(shed(), []);
  queue.commitsWaiting = 100;
  assert.deepEqual(shed(), ["start"]);
  assert.match(refusal(limits, "start") ?? "", /commands waiting to be committed is at its limit of 100/);
});

test("what is refused is counted by kind and limit, and the pressure is shown", async () => {
  const measurements = new Measurements();
  let full = 0;
  const limits = limitsOf(
    { callsInFlightMax: 10, callsPerTenantMax: 5 },
    { measurements, onFull: () => full++ },
  );
  for (let count = 0; count < 5; count++) limits.before(call("start"));
  refusal(limits, "start");
  refusal(limits, "list");
  assert.equal(full, 2);
  const measured = await measurements.collect();
  const values = (wanted: object): Record<string, number> =>
    Object.fromEntries(
      measured
        .filter(({ instrument }) => instrument === wanted)
        .flatMap(({ points }) => points.map(({ labels, value }) => [labels.join(" "), value])),
    );
  assert.deepEqual(values(instruments.callsShed), { "start tenant": 1, "list tenant": 1 });
  assert.deepEqual(values(instruments.overloadPressure), { calls: 0.5, tenant: 1, delay: 0, commits: 0 });
});

test("a call that was let in gives its place back once", () => {
  const limits = limitsOf({ callsInFlightMax: 1, callsPerTenantMax: 1 });
  for (let round = 0; round < 3; round++) {
    const one = call("start");
    limits.before(one);
    assert.notEqual(refusal(limits, "start"), null);
    limits.after(one);
  }
});

test("waits are counted by connection", () => {
  const limits = limitsOf({ waitsPerConnectionMax: 2 });
  const held = [call("wait"), call("watch")];
  for (const one of held) limits.before(one);
  assert.match(refusal(limits, "wait") ?? "", /^waits and streams on this connection/);
  assert.equal(refusal(limits, "wait", { peer: "127.0.0.1:2" }), null);
  for (const one of held) limits.after(one);
  assert.equal(refusal(limits, "wait"), null);
});
