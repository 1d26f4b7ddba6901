// List filters (AIP-160): text -> a typed tree. Pure; a store turns the tree into its own query language.
//
//   filter     : [expression]
//   expression : sequence { AND sequence }
//   sequence   : factor { factor }             side by side means AND
//   factor     : term { OR term }              OR binds tighter than AND: `a AND b OR c` is `a AND (b OR c)`
//   term       : [NOT | "-"] simple
//   simple     : restriction | "(" expression ")"
//   restriction: path ("=" | "!=" | "<" | "<=" | ">" | ">=" | ":") value
//
// https://google.aip.dev/160 and its ebnf-filtering.txt. Functions and bare values are not served.
import type { FilterNode } from "./list-filter-fields.ts";
import { invalidFilter, restriction } from "./list-filter-fields.ts";
import { FilterScanner } from "./list-filter-scanner.ts";

/** The longest filter, in characters. */
export const FILTER_LENGTH_MAX = 2000;
/** The most restrictions in one filter. */
export const FILTER_TERMS_MAX = 50;
/** The deepest nesting of parentheses. */
export const FILTER_DEPTH_MAX = 20;

/** Parses a filter; null for an empty one. Throws INVALID_FILTER with the column (from 1) of the problem. */
export function parseListFilter(text: string): FilterNode | null {
  if (text.length > FILTER_LENGTH_MAX) {
    throw invalidFilter(
      FILTER_LENGTH_MAX,
      `it is ${text.length} characters; at most ${FILTER_LENGTH_MAX} are taken`,
    );
  }
  const parser = new FilterParser(new FilterScanner(text));
  return parser.parse();
}

class FilterParser {
  readonly #scanner: FilterScanner;
  #terms = 0;

  constructor(scanner: FilterScanner) {
    this.#scanner = scanner;
  }

  parse(): FilterNode | null {
    const scanner = this.#scanner;
    scanner.skipSpace();
    if (scanner.atEnd) return null;
    const node = this.#expression(0);
    if (!scanner.atEnd) throw invalidFilter(scanner.column, "there is a ) without its (");
    return node;
  }

  #expression(depth: number): FilterNode {
    const nodes = [this.#sequence(depth)];
    while (this.#scanner.takeKeyword("AND")) nodes.push(this.#sequence(depth));
    return join("and", nodes);
  }

  #sequence(depth: number): FilterNode {
    const scanner = this.#scanner;
    const nodes = [this.#factor(depth)];
    while (!scanner.atEnd && !scanner.at(")") && !scanner.atKeyword("AND")) nodes.push(this.#factor(depth));
    return join("and", nodes);
  }

  #factor(depth: number): FilterNode {
    const nodes = [this.#term(depth)];
    while (this.#scanner.takeKeyword("OR")) nodes.push(this.#term(depth));
    return join("or", nodes);
  }

  #term(depth: number): FilterNode {
    const negated = this.#scanner.takeKeyword("NOT") || this.#scanner.take("-");
    const node = this.#simple(depth);
    return negated ? { kind: "not", node } : node;
  }

  #simple(depth: number): FilterNode {
    const scanner = this.#scanner;
    const { column } = scanner;
    if (!scanner.take("(")) return this.#restriction();
    if (depth >= FILTER_DEPTH_MAX)
      throw invalidFilter(column, `it is nested deeper than ${FILTER_DEPTH_MAX} levels`);
    scanner.skipSpace();
    const node = this.#expression(depth + 1);
    if (!scanner.take(")")) throw invalidFilter(scanner.column, "a ) is missing");
    scanner.skipSpace();
    return node;
  }

  #restriction(): FilterNode {
    const scanner = this.#scanner;
    const { column } = scanner;
    if (++this.#terms > FILTER_TERMS_MAX)
      throw invalidFilter(column, `it has more than ${FILTER_TERMS_MAX} terms`);
    const keyword = (["AND", "OR", "NOT"] as const).some((word) => scanner.atKeyword(word));
    if (keyword) throw invalidFilter(column, "a field is expected");
    const path = scanner.path();
    scanner.skipSpace();
    const operator = scanner.comparator();
    scanner.skipSpace();
    const value = scanner.value();
    scanner.skipSpace();
    return restriction({ path, column, operator, value });
  }
}

function join(kind: "and" | "or", nodes: readonly FilterNode[]): FilterNode {
  const [only, ...rest] = nodes;
  return only !== undefined && rest.length === 0 ? only : { kind, nodes };
}
