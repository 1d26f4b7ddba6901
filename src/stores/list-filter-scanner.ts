// The words of a filter: keywords, paths, comparators, values. Goes through the text once, character by character;
// no regular expression ever sees it.
import { invalidFilter } from "./list-filter-fields.ts";

/** The comparators of AIP-160; `:` is "has". */
export type Comparator = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":";

// The longer ones first: "<=" begins with "<".
const comparators: readonly Comparator[] = ["<=", ">=", "!=", "=", "<", ">", ":"];

/** A value as it was written, with what its wildcards mean. */
export interface FilterValue {
  /** Without quotes, escapes and wildcards. */
  text: string;
  /** `*text`, `text*`: only at the ends. */
  openStart: boolean;
  openEnd: boolean;
  column: number;
}

function isSpace(char: string): boolean {
  return char === " " || char === "\t" || char === "\n" || char === "\r";
}

function isControl(char: string): boolean {
  return char < " " || char === "\u007f";
}

function isPathChar(char: string): boolean {
  return (
    (char >= "a" && char <= "z") ||
    (char >= "A" && char <= "Z") ||
    (char >= "0" && char <= "9") ||
    char === "_" ||
    char === "-"
  );
}

export class FilterScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** From 1. */
  get column(): number {
    return this.#at + 1;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  at(char: string): boolean {
    return this.#text.startsWith(char, this.#at);
  }

  take(char: string): boolean {
    const found = this.at(char);
    if (found) this.#at += char.length;
    return found;
  }

  skipSpace(): void {
    while (!this.atEnd && isSpace(this.#char())) this.#at++;
  }

  /** Keywords are upper case, and end at a space, a parenthesis or the end. */
  atKeyword(word: "AND" | "OR" | "NOT"): boolean {
    const next = this.#text[this.#at + word.length];
    return this.at(word) && (next === undefined || isSpace(next) || next === "(");
  }

  takeKeyword(word: "AND" | "OR" | "NOT"): boolean {
    const found = this.atKeyword(word);
    if (found) {
      this.#at += word.length;
      this.skipSpace();
    }
    return found;
  }

  /** `field`, `field.key` or `field."any key"`. */
  path(): string[] {
    const segments = [this.#segment("a field is expected")];
    while (this.take(".")) {
      const quote = this.#char();
      segments.push(
        quote === '"' || quote === "'" ? this.#quoted().text : this.#segment("a key is expected"),
      );
    }
    return segments;
  }

  comparator(): Comparator {
    const found = comparators.find((comparator) => this.take(comparator));
    if (!found) throw invalidFilter(this.column, "one of = != < <= > >= : is expected");
    return found;
  }

  /** Quoted, or everything up to a space or `)`: names and timestamps need no quotes. */
  value(): FilterValue {
    const { column } = this;
    const quote = this.#char();
    const isQuoted = quote === '"' || quote === "'";
    const { text, stars } = isQuoted ? this.#quoted() : this.#unquoted();
    const openStart = stars.includes(0);
    const openEnd = stars.includes(text.length - 1) && (text.length > 1 || !openStart);
    if (stars.length !== Number(openStart) + Number(openEnd)) {
      throw invalidFilter(column, "the wildcard * stands only at the start or the end of a value");
    }
    const bare = text.slice(openStart ? 1 : 0, openEnd ? -1 : undefined);
    // A lone star is open on both sides.
    return { text: bare, openStart, openEnd: openEnd || (openStart && bare === ""), column };
  }

  #char(): string {
    return this.#text[this.#at] ?? "";
  }

  #segment(expected: string): string {
    const start = this.#at;
    while (!this.atEnd && isPathChar(this.#char())) this.#at++;
    if (this.#at === start) throw invalidFilter(this.column, expected);
    return this.#text.slice(start, this.#at);
  }

  #unquoted(): { text: string; stars: number[] } {
    const start = this.#at;
    const stars: number[] = [];
    for (; !this.atEnd; this.#at++) {
      const char = this.#char();
      if (isSpace(char) || char === ")") break;
      if (char === "(" || char === '"' || char === "'" || isControl(char)) {
        throw invalidFilter(this.column, "a value with this character must be quoted");
      }
      if (char === "*") stars.push(this.#at - start);
    }
    if (this.#at === start) throw invalidFilter(this.column, "a value is expected");
    return { text: this.#text.slice(start, this.#at), stars };
  }

  /** Backslash takes the next character as it is, a star too. */
  #quoted(): { text: string; stars: number[] } {
    const { column } = this;
    const quote = this.#char();
    let text = "";
    const stars: number[] = [];
    for (this.#at++; !this.at(quote); this.#at++) {
      const escaped = this.take("\\");
      const char = this.#char();
      if (char === "") throw invalidFilter(column, "the quote is not closed");
      if (isControl(char)) throw invalidFilter(this.column, "a control character is not taken");
      if (char === "*" && !escaped) stars.push(text.length);
      text += char;
    }
    this.#at++;
    const next = this.#char();
    if (next !== "" && !isSpace(next) && !").=!<>:".includes(next)) {
      throw invalidFilter(this.column, "a space is expected after a quoted value");
    }
    return { text, stars };
  }
}
