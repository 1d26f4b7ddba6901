// What Belay measures: the names under which OpenTelemetry knows it, and the table of its instruments. The table is the
// only place that names one; docs/guide/observability.md and the dashboard are checked against it.

/** The name of Belay's meter and tracer. */
export const TELEMETRY_SCOPE = "belay";

/** counter: only grows. gauge: read when it is asked for. histogram: a distribution. */
export type InstrumentKind = "counter" | "gauge" | "histogram";

/** One thing that is measured. */
export interface Instrument {
  /** As in OpenTelemetry, for instance `belay.cancel.latency`. */
  readonly name: string;
  readonly kind: InstrumentKind;
  /** UCUM: `s` for seconds, `{operation}` for a count of something, `By` for bytes. */
  readonly unit: string;
  readonly description: string;
  /** The attributes of each point, in the order in which their values are given. */
  readonly labels: readonly string[];
  /** Histograms: the upper ends of the buckets; one more takes the rest. */
  readonly bounds: readonly number[];
}

const seconds: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600,
];
const callSeconds: readonly number[] = [
  0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60,
];
const commitSeconds: readonly number[] = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10,
];
const sizes: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

function counter(name: string, unit: string, labels: readonly string[], description: string): Instrument {
  return { name, kind: "counter", unit, labels, description, bounds: [] };
}

function gauge(name: string, unit: string, labels: readonly string[], description: string): Instrument {
  return { name, kind: "gauge", unit, labels, description, bounds: [] };
}

function histogram(
  name: string,
  unit: string,
  labels: readonly string[],
  bounds: readonly number[],
  description: string,
): Instrument {
  return { name, kind: "histogram", unit, labels, description, bounds };
}

const ofType: readonly string[] = ["service", "type"];

/** Every instrument. */
export const instruments = {
  operationsStarted: counter("belay.operations.started", "{operation}", ofType, "Operations stored."),
  operationsEnded: counter(
    "belay.operations.ended",
    "{operation}",
    ["service", "type", "state"],
    "Operations that are done.",
  ),
  operationsLive: gauge(
    "belay.operations.live",
    "{operation}",
    ["service", "type", "state"],
    "Operations that are not done.",
  ),
  operationDuration: histogram(
    "belay.operation.duration",
    "s",
    ["service", "state"],
    seconds,
    "From the start to the end.",
  ),
  startLatency: histogram(
    "belay.start.latency",
    "s",
    ["service"],
    seconds,
    "From when an operation could start to its first attempt.",
  ),
  queueAge: gauge(
    "belay.queue.age",
    "s",
    ofType,
    "How long the oldest pending operation could have started.",
  ),
  attemptsStarted: counter("belay.attempts.started", "{attempt}", ofType, "Attempts that have begun."),
  attemptsHeld: gauge(
    "belay.attempts.held",
    "{attempt}",
    [],
    "Attempts that were taken away and may still run: their slots stay held.",
  ),
  cancelsRequested: counter(
    "belay.cancels.requested",
    "{cancel}",
    ["service", "cause"],
    "Cancels, deadlines and rules that told an operation to stop.",
  ),
  cancelLatency: histogram(
    "belay.cancel.latency",
    "s",
    ["service", "phase"],
    seconds,
    "From the request of a cancel to its phases: delivered, acknowledged, stopped, ended.",
  ),
  stopsUnconfirmed: counter(
    "belay.stops.unconfirmed",
    "{operation}",
    ofType,
    "Operations that ended without evidence that their work stopped.",
  ),
  stopsConfirmedLate: counter(
    "belay.stops.confirmed_late",
    "{operation}",
    ["service", "type", "evidence"],
    "Evidence, or an operator's word, that came after an unconfirmed end.",
  ),
  sessions: gauge("belay.sessions", "{session}", ["kind"], "Open sessions of workers."),
  slots: gauge("belay.slots", "{slot}", ["kind", "state"], "Slots of the open sessions: used, or free."),
  heartbeats: counter("belay.heartbeats", "{heartbeat}", [], "Heartbeats of remote sessions."),
  leasesLost: counter(
    "belay.leases.lost",
    "{operation}",
    ["why"],
    "Operations taken from sessions that ended or whose lease passed.",
  ),
  writesRefused: counter(
    "belay.writes.refused",
    "{write}",
    ["command", "reason"],
    "Reports of workers that were refused, most by their lease token.",
  ),
  commitDuration: histogram(
    "belay.commit.duration",
    "s",
    [],
    commitSeconds,
    "Commits, from the call of the store to durable.",
  ),
  commitBatch: histogram("belay.commit.batch", "{command}", [], sizes, "Commands in one commit."),
  waiters: gauge("belay.waiters", "{call}", [], "Wait calls that are held."),
  watchers: gauge("belay.watchers", "{stream}", [], "Open watches."),
  rpcCalls: counter("belay.rpc.calls", "{call}", ["service", "method", "code"], "Calls that were answered."),
  rpcDuration: histogram(
    "belay.rpc.duration",
    "s",
    ["service", "method"],
    callSeconds,
    "Calls, until their answer.",
  ),
  rpcInFlight: gauge(
    "belay.rpc.in_flight",
    "{call}",
    ["service", "method"],
    "Calls that are not answered yet.",
  ),
  callsShed: counter(
    "belay.calls.shed",
    "{call}",
    ["kind", "limit"],
    "Calls that were refused with OVERLOADED, by what they are for and the limit that was used up.",
  ),
  overloadPressure: gauge(
    "belay.overload.pressure",
    "1",
    ["limit"],
    "How much of a limit is used: at 0.6 lists are refused, at 1 starts.",
  ),
  ready: gauge("belay.ready", "1", [], "1 while the server says that it is ready, else 0."),
} as const satisfies Readonly<Record<string, Instrument>>;

const apiKey = Symbol.for("opentelemetry.js.api.1");

/**
 * True if this process has registered something with the OpenTelemetry API (any 1.x): a meter or tracer provider. The API
 * keeps what is registered under this symbol, on purpose, so that several copies of it share one. Loading the API to ask
 * it costs 6 MB and 20 ms, which only those pay who use it.
 */
export function isTelemetryRegistered(what: "metrics" | "trace"): boolean {
  const registered: unknown = Reflect.get(globalThis, apiKey);
  return typeof registered === "object" && registered !== null && what in registered;
}
