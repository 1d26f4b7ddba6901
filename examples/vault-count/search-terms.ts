// The terms of a search, in the part of Gmail's language that mail archives are asked in: words, "phrases", prefix*,
// -not, OR, ( ), and from: to: cc: bcc: subject: label: filename: has:attachment. Words stand for themselves in any case.
import type { MailMessage } from "./mail-message.ts";

/** Whether a message is meant. */
export type MessageTest = (message: MailMessage) => boolean;

const TERMS_MAX = 2_000;
const DEPTH_MAX = 20;

/** Terms that cannot be read; the operation fails with google.rpc.Code.INVALID_ARGUMENT. */
export class InvalidTerms extends Error {
  override name = "InvalidTerms";
  readonly code = 3;
}

type TextField = (message: MailMessage) => string;

const fields: ReadonlyMap<string, TextField> = new Map<string, TextField>([
  ["from", ({ from }) => from],
  ["to", ({ to, cc, bcc }) => `${to}, ${cc}, ${bcc}`],
  ["cc", ({ cc }) => cc],
  ["bcc", ({ bcc }) => bcc],
  ["subject", ({ subject }) => subject],
  ["label", ({ labels }) => labels],
  ["filename", ({ files }) => files.join("\n")],
]);

/** Words without a field: where a reader would look. */
const anywhere: TextField = ({ subject, text, from, to, cc, files }) =>
  [subject, text, from, to, cc, ...files].join("\n");

/** Reads the terms; none at all means every message. Throws InvalidTerms. */
export function parseTerms(terms: string): MessageTest {
  if (terms.length > TERMS_MAX) {
    throw new InvalidTerms(`terms of ${terms.length} characters: at most ${TERMS_MAX} are allowed`);
  }
  return new TermsParser(terms).parse();
}

/** A test of one field: all words of the text in a row. Throws InvalidTerms. */
export function fieldTest(field: "from" | "to", text: string): MessageTest {
  return wordsTest(fields.get(field) ?? anywhere, text);
}

class TermsParser {
  readonly #tokens: string[];
  #at = 0;
  #depth = 0;

  constructor(terms: string) {
    this.#tokens = terms.match(/[()]|-?(?:[a-z]+:)?"[^"]*"?|(?:-(?=\())|[^\s()"]+/gi) ?? [];
  }

  parse(): MessageTest {
    if (this.#tokens.length === 0) return () => true;
    const test = this.#any();
    if (this.#at < this.#tokens.length) throw new InvalidTerms('the terms have a ")" without its "("');
    return test;
  }

  /** `a OR b`; OR binds less than standing side by side. */
  #any(): MessageTest {
    const tests = [this.#all()];
    while (this.#tokens[this.#at] === "OR") {
      this.#at++;
      tests.push(this.#all());
    }
    return tests.length === 1 && tests[0] ? tests[0] : (message) => tests.some((test) => test(message));
  }

  #all(): MessageTest {
    const tests: MessageTest[] = [];
    for (let token = this.#tokens[this.#at]; token !== undefined; token = this.#tokens[this.#at]) {
      if (token === ")" || token === "OR") break;
      this.#at++;
      if (token !== "AND") tests.push(this.#one(token));
    }
    if (tests.length === 0)
      throw new InvalidTerms("the terms have an OR or a pair of brackets with nothing in it");
    return (message) => tests.every((test) => test(message));
  }

  #one(token: string): MessageTest {
    if (token === "(") return this.#group();
    if (token === "-" || token === "NOT") {
      const next = this.#tokens[this.#at++];
      if (next === undefined || next === ")") throw new InvalidTerms(`nothing stands behind ${token}`);
      return not(this.#one(next));
    }
    if (token.startsWith("-")) return not(term(token.slice(1)));
    return term(token);
  }

  #group(): MessageTest {
    if (++this.#depth > DEPTH_MAX) throw new InvalidTerms(`more than ${DEPTH_MAX} "(" within each other`);
    const test = this.#any();
    if (this.#tokens[this.#at++] !== ")") throw new InvalidTerms('the terms have a "(" without its ")"');
    this.#depth--;
    return test;
  }
}

function not(test: MessageTest): MessageTest {
  return (message) => !test(message);
}

function term(token: string): MessageTest {
  const [, name = "", value = ""] = /^(?:([a-z]+):)?(.*)$/is.exec(token) ?? [];
  const text = value.replaceAll('"', "");
  const field = name.toLowerCase();
  if (field === "") return wordsTest(anywhere, text);
  if (field === "has" && text.toLowerCase() === "attachment") return ({ files }) => files.length > 0;
  const read = fields.get(field);
  if (read) return wordsTest(read, text);
  const known = [...fields.keys(), "has:attachment"].join(", ");
  throw new InvalidTerms(`the terms cannot ask for ${JSON.stringify(token)}; they can ask for: ${known}`);
}

function wordsTest(read: TextField, text: string): MessageTest {
  const isPrefix = text.endsWith("*");
  const wanted = fold(isPrefix ? text.slice(0, -1) : text).trim();
  if (wanted === "") throw new InvalidTerms("a term has no word in it");
  return (message) => hasWords(fold(read(message)), wanted, isPrefix);
}

/** One form for what readers take for the same: case, width, line ends. */
function fold(text: string): string {
  return text.normalize("NFKC").toLowerCase().replaceAll(/\s+/g, " ");
}

/** Whether the words stand there as words: `art` is not in `party`. */
function hasWords(text: string, wanted: string, isPrefix: boolean): boolean {
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    const end = at + wanted.length;
    const isStart = !isWordAt(text, at - 1) || !isWordAt(wanted, 0);
    if (isStart && (isPrefix || !isWordAt(text, end) || !isWordAt(wanted, wanted.length - 1))) return true;
  }
  return false;
}

/** A letter or digit; not of a script that is written without spaces, where a word may stand between others. */
const wordCharacter = /(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}])[\p{L}\p{N}_]/u;

function isWordAt(text: string, at: number): boolean {
  const character = text[at];
  return character !== undefined && wordCharacter.test(character);
}
