// Checks on JSON text that JSON.parse cannot make: nesting before anything is built from it, and silent
// changes (a repeated key, a number that a double cannot hold) after it was found well-formed.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * True if the text opens more than `depthMax` nested objects and arrays: `{}` has depth 1, `1` has 0.
 * One linear scan, no recursion; the text need not be well-formed. Call it before JSON.parse, so that hostile
 * nesting costs nothing (1 MB of `[` is refused after `depthMax` characters).
 */
export function jsonTextDepthExceeds(text: string, depthMax: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = stringEnd(text, i);
        break;
      case 0x7b: // {
      case 0x5b: // [
        if (++depth > depthMax) return true;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth--;
        break;
    }
  }
  return false;
}

/**
 * What JSON.parse would silently change in a well-formed text, or null: an object key given twice (the last
 * would win), a number that a double cannot hold (`1e400`, 9007199254740993). Linear; call it only after
 * JSON.parse accepted the text and its depth was checked.
 */
export function findJsonTextDefect(text: string): string | null {
  // One Set of seen keys for each open object; null for an array.
  const open: (Set<string> | null)[] = [];
  let keys: Set<string> | null = null;
  let expectKey = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      const end = stringEnd(text, i);
      if (expectKey && keys) {
        const key = JSON.parse(text.slice(i, end + 1)) as string;
        if (keys.has(key)) return `the key ${JSON.stringify(clip(key))} is given twice`;
        keys.add(key);
      }
      expectKey = false;
      i = end;
    } else if (code === 0x7b || code === 0x5b) {
      keys = code === 0x7b ? new Set() : null;
      open.push(keys);
      expectKey = keys !== null;
    } else if (code === 0x7d || code === 0x5d) {
      open.pop();
      keys = open.at(-1) ?? null;
      expectKey = false;
    } else if (code === 0x2c) {
      expectKey = keys !== null;
    } else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      const end = numberEnd(text, i);
      const problem = numberProblem(text.slice(i, end));
      if (problem) return problem;
      i = end - 1;
    }
  }
  return null;
}

/** The index of the quote that closes the string opened at `start`, or the text's end. */
function stringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i;
    if (code === BACKSLASH) i++;
  }
  return text.length;
}

/** The index after the number that starts at `start`. */
function numberEnd(text: string, start: number): number {
  let i = start + 1;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isDigit && code !== 0x2e && code !== 0x65 && code !== 0x45 && code !== 0x2b && code !== 0x2d) break;
  }
  return i;
}

function numberProblem(token: string): string | null {
  const value = Number(token);
  if (!Number.isFinite(value)) return `the number ${clip(token)} is too large`;
  if (Number.isSafeInteger(value) || /[.eE]/.test(token)) return null;
  // What JavaScript prints for a double is the shortest text, not always the exact one.
  if (String(value) === token) return null;
  // Finite, so at most 309 digits and a sign: BigInt stays cheap.
  if (BigInt(token) === BigInt(value)) return null;
  return `the integer ${clip(token)} is not exact in JSON; send it as a string`;
}

function clip(text: string): string {
  return text.length > 64 ? `${text.slice(0, 63)}…` : text;
}
