// The characters of a path template, one by one, with the column for errors. What they mean is
// path-template.ts's.

/** A template that does not follow the grammar; the message starts with the column, counted from 1. */
export class PathTemplateError extends Error {
  override name = "PathTemplateError";
  readonly column: number;

  constructor(column: number, problem: string) {
    super(`column ${column}: ${problem}`);
    this.column = column;
  }
}

/** Reads a template from left to right. */
export class PathTemplateScanner {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The column of the next character, counted from 1. */
  get column(): number {
    return this.#position + 1;
  }

  get atEnd(): boolean {
    return this.#position >= this.#text.length;
  }

  /** Takes the text if it comes next. */
  accept(text: string): boolean {
    if (!this.#text.startsWith(text, this.#position)) return false;
    this.#position += text.length;
    return true;
  }

  /** Takes the text or throws. */
  expect(text: string): void {
    if (!this.accept(text)) this.fail(`expected '${text}', found ${this.#found()}`);
  }

  /** Takes a literal: the characters that a path segment may hold unescaped, and %XX. */
  literal(what: string): string {
    const text = this.#take(isLiteralCode);
    if (text === "") this.fail(`expected ${what}, found ${this.#found()}`);
    for (let i = text.indexOf("%"); i >= 0; i = text.indexOf("%", i + 3)) {
      if (!/^%[0-9A-F]{2}$/.test(text.slice(i, i + 3))) {
        throw new PathTemplateError(
          this.column - text.length + i,
          "'%' needs two upper-case hexadecimal digits",
        );
      }
    }
    if (text === "." || text === "..") this.fail(`a segment '${text}' can never be matched`);
    return text;
  }

  /** Takes an identifier of proto. */
  identifier(): string {
    const start = this.#position;
    const text = this.#take(isWordCode);
    if (text === "" || isDigit(text.charCodeAt(0))) {
      this.#position = start;
      this.fail(`expected a field name, found ${this.#found()}`);
    }
    return text;
  }

  /** Throws at the next character. */
  fail(problem: string): never {
    throw new PathTemplateError(this.column, problem);
  }

  /** Throws about the next character, which nothing took. */
  unexpected(): never {
    this.fail(`unexpected ${this.#found()}`);
  }

  #found(): string {
    const code = this.#text.codePointAt(this.#position);
    return code === undefined ? "the end" : `'${String.fromCodePoint(code)}'`;
  }

  #take(accepts: (code: number) => boolean): string {
    const start = this.#position;
    while (!this.atEnd && accepts(this.#text.charCodeAt(this.#position))) this.#position++;
    return this.#text.slice(start, this.#position);
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isWordCode(code: number): boolean {
  return isDigit(code) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x5f;
}

/** RFC 3986 pchar without what the grammar uses (`*`, `:`, `=`) and `;`, which request paths may not hold. */
function isLiteralCode(code: number): boolean {
  return isWordCode(code) || (code < 0x80 && "-.~%!$&'()+,@".includes(String.fromCharCode(code)));
}
