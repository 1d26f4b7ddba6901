// Counts what is measured, in plain numbers from the first moment on: counters and histograms as they happen, the rest when
// it is asked for. The OpenTelemetry SDK would do the same for 25-34 MB and 170 ms of a start (measured); this is 3 maps.
import type { Instrument } from "./telemetry.ts";

/** Where values were counted, with the values of the instrument's labels. */
export interface Point {
  readonly labels: readonly string[];
  /** Counters and gauges. */
  value: number;
  /** Histograms: the count of each bucket, one more than the instrument has bounds. */
  readonly buckets: number[];
  sum: number;
}

/** An instrument with all of its points at one moment. */
export interface Measured {
  readonly instrument: Instrument;
  readonly points: readonly Readonly<Point>[];
}

/** Answers what is only read when it is asked for. */
export type MeasurementSource = () => readonly Measured[] | Promise<readonly Measured[]>;

/** Hears every value of a histogram: those cannot be handed on later. */
export type HistogramListener = (instrument: Instrument, value: number, labels: readonly string[]) => void;

/** Label values beyond this number in one instrument are counted together, as `other`. */
const POINTS_MAX = 2000;

/**
 * The points of one instrument, by one label after the other: a key made of all labels would be a new text, to be hashed, for
 * each value that is counted (0.25 us, and there are six in the life of an operation).
 */
interface Points {
  readonly root: Branch;
  readonly all: Point[];
}

interface Branch {
  readonly branches: Map<string, Branch>;
  point: Point | null;
}

export class Measurements {
  readonly #points = new Map<Instrument, Points>();
  readonly #sources: MeasurementSource[] = [];
  #onHistogram: HistogramListener | null = null;

  /** Counts. */
  add(instrument: Instrument, labels: readonly string[], amount = 1): void {
    this.#point(instrument, labels).value += amount;
  }

  /** Puts a value into a histogram. */
  record(instrument: Instrument, labels: readonly string[], value: number): void {
    const { bounds } = instrument;
    const point = this.#point(instrument, labels);
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++;
    point.buckets[bucket] = (point.buckets[bucket] ?? 0) + 1;
    point.sum += value;
    this.#onHistogram?.(instrument, value, labels);
  }

  /** Adds what is read at each `collect`. A source that fails is left out of that answer. */
  addSource(source: MeasurementSource): void {
    this.#sources.push(source);
  }

  /** From now on. */
  onHistogram(listener: HistogramListener): void {
    this.#onHistogram = listener;
  }

  /** The counters and histograms as they stand, then what the sources say. */
  async collect(): Promise<Measured[]> {
    const read = await Promise.allSettled(this.#sources.map(async (source) => await source()));
    const measured = [...this.#points].map(([instrument, points]) => ({
      instrument,
      points: [...points.all],
    }));
    return [...measured, ...read.flatMap((result) => (result.status === "fulfilled" ? result.value : []))];
  }

  #point(instrument: Instrument, labels: readonly string[]): Point {
    let points = this.#points.get(instrument);
    if (points === undefined) {
      points = { root: newBranch(), all: [] };
      this.#points.set(instrument, points);
    }
    let branch: Branch | undefined = points.root;
    for (const label of labels) branch = branch?.branches.get(label);
    if (branch?.point) return branch.point;
    const counted = points.all.length < POINTS_MAX ? labels : overflowLabels(instrument);
    return addPoint(instrument, points, counted);
  }
}

function newBranch(): Branch {
  return { branches: new Map(), point: null };
}

/** The point of these labels, made if it is not there. */
function addPoint(instrument: Instrument, { root, all }: Points, labels: readonly string[]): Point {
  let branch = root;
  for (const label of labels) {
    const next = branch.branches.get(label) ?? newBranch();
    branch.branches.set(label, next);
    branch = next;
  }
  if (branch.point === null) {
    branch.point = point(instrument, labels);
    all.push(branch.point);
  }
  return branch.point;
}

/** A point, with a value for a gauge. */
export function point(instrument: Instrument, labels: readonly string[], value = 0): Point {
  const buckets =
    instrument.kind === "histogram" ? new Array<number>(instrument.bounds.length + 1).fill(0) : [];
  return { labels, value, buckets, sum: 0 };
}

function overflowLabels(instrument: Instrument): readonly string[] {
  return instrument.labels.map(() => "other");
}
