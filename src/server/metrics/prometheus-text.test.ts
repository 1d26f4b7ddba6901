import assert from "node:assert/strict";
import { test } from "node:test";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { AggregationTemporality, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { Measurements, point } from "../../base/measurements.ts";
import { instruments } from "../../base/telemetry.ts";
import { bridgeToMeter } from "../../engine/telemetry/meter-bridge.ts";
import { prometheusName, prometheusText } from "./prometheus-text.ts";

test("names are those of OpenTelemetry's conventions for Prometheus", () => {
  assert.equal(prometheusName(instruments.cancelLatency), "belay_cancel_latency_seconds");
  assert.equal(prometheusName(instruments.operationsEnded), "belay_operations_ended_total");
  assert.equal(prometheusName(instruments.operationsLive), "belay_operations_live");
  assert.equal(prometheusName(instruments.rpcInFlight), "belay_rpc_in_flight");
});

test("a page has counters, gauges and histograms with cumulative buckets", async () => {
  const measurements = new Measurements();
  measurements.add(instruments.heartbeats, []);
  measurements.add(instruments.heartbeats, [], 2);
  for (const size of [1, 2, 2, 600]) measurements.record(instruments.commitBatch, [], size);
  measurements.addSource(() => [
    { instrument: instruments.sessions, points: [point(instruments.sessions, ["remote"], 3)] },
    { instrument: instruments.waiters, points: [] },
  ]);
  const page = prometheusText(await measurements.collect());
  const part = (name: string): string[] =>
    page.split("\n").filter((line) => line.replace(/^# (HELP|TYPE) /, "").startsWith(name));
  assert.deepEqual(part("belay_heartbeats"), [
    "# HELP belay_heartbeats_total Heartbeats of remote sessions.",
    "# TYPE belay_heartbeats_total counter",
    "belay_heartbeats_total 3",
  ]);
  assert.deepEqual(part("belay_commit_batch"), [
    "# HELP belay_commit_batch Commands in one commit.",
    "# TYPE belay_commit_batch histogram",
    'belay_commit_batch_bucket{le="1"} 1',
    ...["2", "4", "8", "16", "32", "64", "128", "256", "512"].map(
      (le) => `belay_commit_batch_bucket{le="${le}"} 3`,
    ),
    'belay_commit_batch_bucket{le="+Inf"} 4',
    "belay_commit_batch_sum 605",
    "belay_commit_batch_count 4",
  ]);
  assert.deepEqual(part("belay_sessions"), [
    "# HELP belay_sessions Open sessions of workers.",
    "# TYPE belay_sessions gauge",
    'belay_sessions{kind="remote"} 3',
  ]);
});

test("every instrument is named from the first page on, and one without labels is 0 then", () => {
  const page = prometheusText([]);
  for (const instrument of Object.values(instruments)) {
    assert.ok(page.includes(`# TYPE ${prometheusName(instrument)} ${instrument.kind}\n`));
  }
  assert.match(page, /^belay_heartbeats_total 0$/m);
  assert.match(page, /^belay_commit_duration_seconds_count 0$/m);
  assert.doesNotMatch(page, /^belay_operations_started_total/m);
});

test("label values are escaped", async () => {
  const measurements = new Measurements();
  measurements.add(instruments.operationsStarted, ['a"b', "c\\d\ne"]);
  const text = prometheusText(await measurements.collect());
  assert.ok(text.includes('{service="a\\"b",type="c\\\\d\\ne"} 1'), text);
});

class PullReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

/**
 * The lines that say something of Belay, without the labels that the exporter adds, and without the unit in the name: the
 * compatibility specification asks for it, the JavaScript exporter leaves it out.
 */
function samples(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("belay_"))
    .map((line) => line.replace(/,?otel_scope_name="[^"]*"/, "").replace(/_seconds(?=[_{ ])/, ""))
    .map((line) => line.replace("{,", "{").replace("{}", ""))
    .sort();
}

test("the page says what OpenTelemetry's own exporter says of the same measurements", async () => {
  const reader = new PullReader({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  const provider = new MeterProvider({ readers: [reader] });
  const measurements = new Measurements();
  measurements.add(instruments.cancelsRequested, ["default", "cancel"], 5);
  bridgeToMeter(measurements, provider.getMeter("belay"));
  measurements.add(instruments.cancelsRequested, ["vault", "deadline"]);
  measurements.record(instruments.cancelLatency, ["default", "stopped"], 0.02);
  measurements.record(instruments.cancelLatency, ["default", "stopped"], 5000);
  measurements.record(instruments.commitDuration, [], 0.001);
  measurements.addSource(() => [
    { instrument: instruments.queueAge, points: [point(instruments.queueAge, ["default", "ocr"], 1.5)] },
  ]);
  const { resourceMetrics } = await reader.collect();
  const theirs = samples(new PrometheusSerializer().serialize(resourceMetrics));
  const zeros = samples(prometheusText([]));
  const ours = samples(prometheusText(await measurements.collect())).filter((line) => !zeros.includes(line));
  assert.ok(theirs.length > 30);
  assert.deepEqual(
    ours,
    theirs.filter((line) => !zeros.includes(line)),
  );
  await provider.shutdown();
});

test("label sets beyond two thousand are counted together", async () => {
  const measurements = new Measurements();
  for (let index = 0; index < 2500; index++)
    measurements.add(instruments.operationsStarted, ["s", `t${index}`]);
  const [measured] = await measurements.collect();
  assert.equal(measured?.points.length, 2001);
  assert.equal(measured?.points.at(-1)?.value, 500);
  assert.deepEqual(measured?.points.at(-1)?.labels, ["other", "other"]);
});

test("a source that fails is left out, and the rest is answered", async () => {
  const measurements = new Measurements();
  measurements.add(instruments.heartbeats, []);
  measurements.addSource(() => Promise.reject(new Error("the store is gone")));
  measurements.addSource(() => {
    throw new Error("so is this one");
  });
  assert.equal((await measurements.collect()).length, 1);
});
