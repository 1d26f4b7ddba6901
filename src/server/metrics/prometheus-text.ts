// Writes what is measured as Prometheus reads it (text format 0.0.4), with the names that OpenTelemetry's specification gives
// ("Prometheus and OpenMetrics Compatibility"): `belay.cancel.latency` in seconds is belay_cancel_latency_seconds.
import { type Measured, type Point, point } from "../../base/measurements.ts";
import { type Instrument, instruments } from "../../base/telemetry.ts";

export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** A counter ends in `_total`, a unit is spelt out; `{operation}` and the like are no units. */
export function prometheusName({ name, kind, unit }: Instrument): string {
  const base = name.replaceAll(/[^a-zA-Z0-9]+/g, "_");
  const suffix = unit === "s" ? "_seconds" : unit === "By" ? "_bytes" : "";
  return `${base}${suffix}${kind === "counter" ? "_total" : ""}`;
}

/** The whole page: every instrument of the table in its order, also one that has no point yet; without labels it is 0 then. */
export function prometheusText(measured: readonly Measured[]): string {
  const lines: string[] = [];
  const known = new Map(measured.map(({ instrument, points }) => [instrument, points]));
  const table: readonly Instrument[] = Object.values(instruments);
  for (const instrument of table) {
    const none = instrument.labels.length === 0 ? [point(instrument, [])] : [];
    const points = known.get(instrument) ?? none;
    const name = prometheusName(instrument);
    lines.push(`# HELP ${name} ${escapeHelp(instrument.description)}`, `# TYPE ${name} ${instrument.kind}`);
    for (const at of points) {
      if (instrument.kind === "histogram") lines.push(...histogramLines(name, instrument, at));
      else lines.push(`${name}${labelText(instrument.labels, at.labels)} ${at.value}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function histogramLines(name: string, { labels, bounds }: Instrument, at: Readonly<Point>): string[] {
  let count = 0;
  const lines = at.buckets.map((inBucket, index) => {
    count += inBucket;
    const bound = bounds[index];
    const le = bound === undefined ? "+Inf" : String(bound);
    return `${name}_bucket${labelText([...labels, "le"], [...at.labels, le])} ${count}`;
  });
  const own = labelText(labels, at.labels);
  return [...lines, `${name}_sum${own} ${at.sum}`, `${name}_count${own} ${count}`];
}

function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return "";
  return `{${names.map((name, index) => `${name}="${escapeValue(values[index] ?? "")}"`).join(",")}}`;
}

function escapeValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
