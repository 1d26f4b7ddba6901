// Hands what is measured to a MeterProvider that somebody else has registered with the OpenTelemetry API. Counters and gauges
// are read when the provider collects, so nothing that was counted before is lost; histograms are handed on from now.
import type { Attributes, Histogram, Meter, Observable } from "@opentelemetry/api";
import type { Measurements } from "../../base/measurements.ts";
import { type Instrument, instruments } from "../../base/telemetry.ts";

/** Registers every instrument of the table with a meter. */
export function bridgeToMeter(measurements: Measurements, meter: Meter): void {
  const all: readonly Instrument[] = Object.values(instruments);
  const histograms = new Map<Instrument, Histogram>();
  const observables = new Map<Instrument, Observable>();
  for (const instrument of all) {
    const { name, unit, description, bounds } = instrument;
    if (instrument.kind === "histogram") {
      const advice = { explicitBucketBoundaries: [...bounds] };
      histograms.set(instrument, meter.createHistogram(name, { unit, description, advice }));
    } else if (instrument.kind === "counter") {
      observables.set(instrument, meter.createObservableCounter(name, { unit, description }));
    } else {
      observables.set(instrument, meter.createObservableGauge(name, { unit, description }));
    }
  }
  measurements.onHistogram((instrument, value, labels) =>
    histograms.get(instrument)?.record(value, attributesOf(instrument, labels)),
  );
  meter.addBatchObservableCallback(
    async (result) => {
      for (const { instrument, points } of await measurements.collect()) {
        const observable = observables.get(instrument);
        if (!observable) continue;
        for (const { labels, value } of points) {
          result.observe(observable, value, attributesOf(instrument, labels));
        }
      }
    },
    [...observables.values()],
  );
}

function attributesOf({ labels: names }: Instrument, values: readonly string[]): Attributes {
  const attributes: Attributes = {};
  for (const [index, name] of names.entries()) attributes[name] = values[index] ?? "";
  return attributes;
}
