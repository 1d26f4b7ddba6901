// The ranges of yandex.cloud.validation: "<=50", ">0", "3-63", "-1-100", "36", "1,2,5".

/** True if the number lies within the range. */
export type InRange = (value: number | bigint) => boolean;

const NUMBER = "-?\\d+(?:\\.\\d+)?";
const COMPARED = new RegExp(`^(<=|<|>=|>)(${NUMBER})$`);
const SPAN = new RegExp(`^(${NUMBER})-(${NUMBER})$`);
const LIST = new RegExp(`^${NUMBER}(,${NUMBER})*$`);

/** Reads a range; null if it is none. Bounds beyond 2^53 are as exact as a double. */
export function parseRange(text: string): InRange | null {
  const range = text.replaceAll(" ", "");
  const compared = COMPARED.exec(range);
  if (compared) return comparison(compared[1] ?? "", Number(compared[2]));
  const span = SPAN.exec(range);
  if (span) {
    const [min, max] = [Number(span[1]), Number(span[2])];
    return (value) => value >= min && value <= max;
  }
  if (!LIST.test(range)) return null;
  const numbers = range.split(",").map(Number);
  // Loosely: 5n equals 5.
  return (value) => numbers.some((number) => value >= number && value <= number);
}

function comparison(operator: string, bound: number): InRange {
  switch (operator) {
    case "<":
      return (value) => value < bound;
    case "<=":
      return (value) => value <= bound;
    case ">":
      return (value) => value > bound;
    default:
      return (value) => value >= bound;
  }
}
