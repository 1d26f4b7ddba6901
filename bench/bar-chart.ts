// A horizontal bar chart as SVG: medians as bars, the rounds' range as a whisker. Readable on light and on dark pages, with no
// script and no font of its own.

export interface Bar {
  label: string;
  /** The smallest, the median and the largest of the rounds. */
  low: number;
  value: number;
  high: number;
  /** Whose bar it is: drawn in the accent colour, in grey, or as a reference. */
  kind: "own" | "peer" | "reference";
}

export interface BarChart {
  title: string;
  /** Under the title: the unit, and which way is better. */
  subtitle: string;
  bars: readonly Bar[];
}

const WIDTH = 760;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 90;
const ROW_HEIGHT = 26;
const TOP = 58;

/** Both themes set all colours; a viewer that knows neither shows the light one. */
const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .subtitle { fill: #59636e; }
  .own { fill: #0969da; } .peer { fill: #9aa4af; } .reference { fill: #d4a72c; }
  .range { stroke: #1f2328; stroke-width: 1.5; }
  .page { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .subtitle { fill: #9198a1; }
    .own { fill: #4493f8; } .peer { fill: #656c76; } .reference { fill: #bb8009; }
    .range { stroke: #f0f6fc; }
    .page { fill: #0d1117; }
  }`;

function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** `12,345`, `980`, `3.42`. */
function show(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}

function barRow(bar: Bar, index: number, scale: number): string {
  const y = TOP + index * ROW_HEIGHT;
  const middle = y + ROW_HEIGHT / 2;
  const x = (value: number): string => (LABEL_WIDTH + value * scale).toFixed(1);
  const width = Math.max(1, bar.value * scale).toFixed(1);
  const valueX = (LABEL_WIDTH + Math.max(bar.value, bar.high) * scale + 8).toFixed(1);
  return [
    `<text x="${LABEL_WIDTH - 10}" y="${middle + 4}" text-anchor="end">${escapeText(bar.label)}</text>`,
    `<rect class="${bar.kind}" x="${LABEL_WIDTH}" y="${y + 4}" width="${width}" height="${ROW_HEIGHT - 8}" rx="2"/>`,
    `<path class="range" d="M${x(bar.low)} ${middle}H${x(bar.high)}"/>`,
    `<text x="${valueX}" y="${middle + 4}">${show(bar.value)}</text>`,
  ].join("\n");
}

/** Bars in the given order; those without a value are left out. */
export function drawBarChart({ title, subtitle, bars }: BarChart): string {
  const drawn = bars.filter(({ value }) => Number.isFinite(value));
  const largest = Math.max(...drawn.map(({ high }) => high), Number.MIN_VALUE);
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / largest;
  const height = TOP + drawn.length * ROW_HEIGHT + 14;
  const described = drawn.map(({ label, value }) => `${label} ${show(value)}`).join(", ");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(`${title}: ${described}`)}">`,
    `<style>${style}\n</style>`,
    `<rect class="page" width="${WIDTH}" height="${height}" rx="6"/>`,
    `<text class="title" x="16" y="24">${escapeText(title)}</text>`,
    `<text class="subtitle" x="16" y="44">${escapeText(subtitle)}</text>`,
    ...drawn.map((bar, index) => barRow(bar, index, scale)),
    "</svg>",
    "",
  ].join("\n");
}
