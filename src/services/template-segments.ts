// The path templates of google.api.http as documents need them: one segment after the other, each with the variable that
// it belongs to, and a name for each wildcard. Templates come here checked; transcoding has the parser that checks.

/** One segment of a template. */
export interface TemplateSegment {
  /** A literal, `*` or `**`. */
  readonly text: string;
  /** The field path of the variable that it is part of; null for none. */
  readonly field: string | null;
}

export interface TemplateVariable {
  /** Dotted, in proto names: `name`, `book.name`. */
  readonly field: string;
  /** `*` for a variable without a pattern. */
  readonly pattern: string;
}

export interface TemplateParts {
  readonly segments: readonly TemplateSegment[];
  readonly variables: readonly TemplateVariable[];
  /** Without its colon; "" for none. */
  readonly verb: string;
}

const PIECE = /\{([^{}=]+)(?:=([^{}]*))?\}|[^/{}]+/g;

/** Takes a template apart: `/v1/{name=operations/*}:cancel`. */
export function readTemplate(template: string): TemplateParts {
  const [, path = template, verb = ""] = /^(.*):([^/{}:]+)$/.exec(template) ?? [];
  const segments: TemplateSegment[] = [];
  const variables: TemplateVariable[] = [];
  for (const [text, field, pattern = "*"] of path.matchAll(PIECE)) {
    if (field === undefined) {
      segments.push({ text, field: null });
      continue;
    }
    variables.push({ field, pattern });
    for (const part of pattern.split("/")) segments.push({ text: part, field });
  }
  return { segments, variables, verb };
}

export function isWildcard({ text }: TemplateSegment): boolean {
  return text === "*" || text === "**";
}

/** True for `v1`, `v1beta1`: the part of a path that is no collection. */
export function isVersion(text: string): boolean {
  return /^v[0-9]+([a-z]+[0-9]+)?$/.test(text);
}

/**
 * A name for each wildcard, null for literals: after its collection (`operations/*` is `operation`), else `collection` and
 * `id`. All differ.
 */
export function wildcardNames({ segments, variables }: TemplateParts): (string | null)[] {
  const used = new Set<string>();
  return segments.map((segment, index) => {
    if (!isWildcard(segment)) return null;
    const alone = variables.find(({ field, pattern }) => field === segment.field && pattern === "*");
    const base = alone ? camelCase(alone.field) : nameAfter(segments.slice(0, index));
    let name = base;
    for (let n = 2; used.has(name); n++) name = `${base}${n}`;
    used.add(name);
    return name;
  });
}

function nameAfter(before: readonly TemplateSegment[]): string {
  const literal = before.findLastIndex((segment) => !isWildcard(segment));
  const wildcards = before.length - 1 - literal;
  if (wildcards % 2 === 1) return "id";
  const collection = before[literal];
  return wildcards > 0 || collection === undefined || isVersion(collection.text)
    ? "collection"
    : singular(collection.text);
}

/** `operations` is `operation`, `categories` is `category`, `addresses` is `address`. */
export function singular(word: string): string {
  if (word.endsWith("ies")) return `${word.slice(0, -3)}y`;
  if (/(ss|x|ch|sh)es$/.test(word)) return word.slice(0, -2);
  return word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word;
}

/** `matter_id` is `matterId`; dots stay. */
export function camelCase(fieldPath: string): string {
  return fieldPath.replace(/_+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
