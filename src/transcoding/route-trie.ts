// Which route a path means. Templates make a tree of segments; a path is matched while still escaped, so that
// an escaped slash or colon in an id can never make a segment or a verb.
import { checkSegment, decodeSegment } from "./path-decoding.ts";
import { isMultiSegment, type PathTemplate } from "./path-template.ts";

/** A template with what it leads to. */
export interface Route<T> {
  /** Upper case; `*` for any. */
  httpMethod: string;
  template: PathTemplate;
  value: T;
  /** A GET without side effects: HEAD may take it. */
  safe?: boolean;
  /** The verb may also come escaped, `x%3Acancel`: some clients of yandex escape it. */
  encodedVerb?: boolean;
}

/** What a path met. */
export type RouteMatch<T> =
  | {
      kind: "found";
      route: Route<T>;
      /** The values of the template's variables, unescaped, in their order. */
      captures: readonly string[];
    }
  | { kind: "method-not-allowed"; allowed: readonly string[] }
  | { kind: "not-found" };

interface Node<T> {
  literals: Map<string, Node<T>>;
  wildcard: Node<T> | null;
  /** Routes that end here, and those that end here with `**`: verb, then HTTP method. */
  ends: Map<string, Map<string, Route<T>>>;
  restEnds: Map<string, Map<string, Route<T>>>;
}

/**
 * The routes of one service. A literal segment beats `*`, `*` beats `**`; among identical templates the last
 * added wins. The verb is cut off at the last `:` of the last segment, where routes of that path have it: `x:cancel`
 * is then never an id. What other paths have changes nothing. A match visits each node of the tree at most twice,
 * whatever the path.
 */
export class RouteTrie<T> {
  readonly #root: Node<T> = createNode();
  readonly #verbs = new Set<string>();
  readonly #encodedVerbs = new Set<string>();

  add(route: Route<T>): void {
    const { segments, verb } = route.template;
    let node = this.#root;
    for (const segment of segments) {
      if (segment === "**") break;
      node = segment === "*" ? wildcardOf(node) : literalOf(node, segment);
    }
    const ends = segments.at(-1) === "**" ? node.restEnds : node.ends;
    const methods = ends.get(verb) ?? new Map<string, Route<T>>();
    methods.set(route.httpMethod, route);
    ends.set(verb, methods);
    if (verb) this.#verbs.add(verb);
    if (verb && route.encodedVerb) this.#encodedVerbs.add(verb);
  }

  /**
   * Matches the escaped segments of a path (splitTarget). Throws INVALID_PATH if a capture cannot be decoded.
   */
  match(httpMethod: string, segments: readonly string[]): RouteMatch<T> {
    const last = segments.at(-1) ?? "";
    const colon = last.lastIndexOf(":");
    if (colon >= 0 && this.#verbs.has(last.slice(colon + 1))) {
      const rest = withLast(segments, last.slice(0, colon));
      const match = this.#search(httpMethod, rest, last.slice(colon + 1), false);
      if (match.kind !== "not-found") return match;
    }
    if (this.#encodedVerbs.size > 0) {
      const at = last.toUpperCase().lastIndexOf("%3A");
      if (at > 0 && this.#encodedVerbs.has(last.slice(at + 3))) {
        const rest = withLast(segments, last.slice(0, at));
        const match = this.#search(httpMethod, rest, last.slice(at + 3), true);
        if (match.kind !== "not-found") return match;
      }
    }
    return this.#search(httpMethod, segments, "", false);
  }

  #search(httpMethod: string, segments: readonly string[], verb: string, isEncoded: boolean): RouteMatch<T> {
    const search: Search = { httpMethod, segments, verb, isEncoded, allowed: null };
    const route = descend(this.#root, 0, search);
    if (route) return { kind: "found", route, captures: captureAll(route.template, segments) };
    if (search.allowed) return { kind: "method-not-allowed", allowed: [...search.allowed].sort() };
    return { kind: "not-found" };
  }
}

interface Search {
  httpMethod: string;
  segments: readonly string[];
  verb: string;
  isEncoded: boolean;
  /** The methods of the routes whose path matched but whose method did not. */
  allowed: Set<string> | null;
}

function descend<T>(node: Node<T>, depth: number, search: Search): Route<T> | null {
  if (depth === search.segments.length) {
    return choose(node.ends, search) ?? choose(node.restEnds, search);
  }
  const literal = node.literals.get(search.segments[depth] as string);
  return (
    (literal && descend(literal, depth + 1, search)) ??
    (node.wildcard && descend(node.wildcard, depth + 1, search)) ??
    choose(node.restEnds, search)
  );
}

function choose<T>(ends: Map<string, Map<string, Route<T>>>, search: Search): Route<T> | null {
  const methods = ends.get(search.verb);
  if (!methods) return null;
  const route = methods.get(search.httpMethod) ?? methods.get("*") ?? headRoute(methods, search);
  if (route && (!search.isEncoded || route.encodedVerb)) return route;
  for (const other of methods.values()) {
    if (search.isEncoded && !other.encodedVerb) continue;
    search.allowed ??= new Set();
    search.allowed.add(other.httpMethod);
    if (other.httpMethod === "GET" && other.safe) search.allowed.add("HEAD");
  }
  return null;
}

/** HEAD is GET without the body (RFC 9110), but a GET that cancels must not be reached by it. */
function headRoute<T>(methods: Map<string, Route<T>>, search: Search): Route<T> | undefined {
  const route = search.httpMethod === "HEAD" ? methods.get("GET") : undefined;
  return route?.safe ? route : undefined;
}

function captureAll(template: PathTemplate, segments: readonly string[]): string[] {
  return template.variables.map((variable) => {
    const isMulti = isMultiSegment(template, variable);
    if (!isMulti) return decodeSegment(segments[variable.start] as string, false);
    const end = template.segments[variable.end - 1] === "**" ? segments.length : variable.end;
    return segments
      .slice(variable.start, end)
      .map((segment) => decodeSegment(segment, true))
      .join("/");
  });
}

function withLast(segments: readonly string[], last: string): string[] {
  checkSegment(last);
  return [...segments.slice(0, -1), last];
}

function createNode<T>(): Node<T> {
  return { literals: new Map(), wildcard: null, ends: new Map(), restEnds: new Map() };
}

function literalOf<T>(node: Node<T>, segment: string): Node<T> {
  const child = node.literals.get(segment) ?? createNode();
  node.literals.set(segment, child);
  return child;
}

function wildcardOf<T>(node: Node<T>): Node<T> {
  node.wildcard ??= createNode();
  return node.wildcard;
}
