// RFC 8785 (JSON Canonicalization Scheme): one text for equal values, so that a hash over it means something.

export type CanonicalValue =
  | null
  | boolean
  | number
  | string
  | readonly CanonicalValue[]
  | { readonly [member: string]: CanonicalValue | undefined };

/**
 * The canonical text. Members are sorted by their UTF-16 code units (RFC 8785, 3.2.3), undefined ones are left out; numbers
 * and strings are written as ECMAScript does (3.2.2). A lone surrogate, which the RFC forbids, becomes U+FFFD.
 * Throws a TypeError for NaN and infinities.
 */
export function canonicalText(value: CanonicalValue): string {
  if (typeof value === "string") return JSON.stringify(value.toWellFormed());
  if (typeof value === "number" && !Number.isFinite(value))
    throw new TypeError(`${value} is no number of JSON`);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalText).join(",")}]`;
  const members: string[] = [];
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member !== undefined) members.push(`${canonicalText(name)}:${canonicalText(member)}`);
  }
  return `{${members.join(",")}}`;
}

function isList(value: CanonicalValue): value is readonly CanonicalValue[] {
  return Array.isArray(value);
}
