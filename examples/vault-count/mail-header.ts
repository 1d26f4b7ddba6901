// The header of a message: folded lines, encoded words (RFC 2047), parameters (RFC 2045, 2231).
import { TextDecoder } from "node:util";

/** The fields of a header by their lower-case names, unfolded and still encoded; several of one name in order. */
export type MailHeader = ReadonlyMap<string, readonly string[]>;

/** A message or part, cut at its first blank line. */
export interface SplitMessage {
  header: MailHeader;
  /** One character for each byte. */
  body: string;
}

/** Cuts a text of one character for each byte. Lines that are no field are passed over. */
export function splitHeader(text: string): SplitMessage {
  // A part may begin with the blank line: then it has no header at all.
  const isBare = /^\r?\n/.exec(text);
  const blank = /\r?\n\r?\n/.exec(text);
  const [end, next] = blank ? [blank.index, blank.index + blank[0].length] : [text.length, text.length];
  if (isBare) return { header: new Map(), body: text.slice(isBare[0].length) };
  const header = new Map<string, string[]>();
  const unfolded = text.slice(0, end).replaceAll(/\r?\n(?=[ \t])/g, "");
  for (const line of unfolded.split(/\r?\n/)) {
    const field = /^([!-9;-~]+)[ \t]*:[ \t]*(.*)$/.exec(line);
    if (!field) continue;
    const name = (field[1] ?? "").toLowerCase();
    const values = header.get(name);
    if (values) values.push(field[2] ?? "");
    else header.set(name, [field[2] ?? ""]);
  }
  return { header, body: text.slice(next) };
}

/** The decoded fields of these names, joined; "" if there is none. */
export function headerText(header: MailHeader, ...names: readonly string[]): string {
  return names
    .flatMap((name) => header.get(name) ?? [])
    .map(decodeWords)
    .join(", ");
}

/** The value in front of the first `;`, lower case: `text/plain`. */
export function mainValue(header: MailHeader, name: string): string {
  const [value = ""] = header.get(name) ?? [];
  return (value.split(";", 1)[0] ?? "").trim().toLowerCase();
}

/** A parameter's value, decoded; "" if it is absent. Continuations (`name*0=`) are not put together. */
export function parameter(header: MailHeader, field: string, name: string): string {
  const [value = ""] = header.get(field) ?? [];
  const extended = new RegExp(`;\\s*${name}\\*=([\\w-]*)'[^']*'([^;]*)`, "i").exec(value);
  if (extended) return decodeBytes(percentBytes((extended[2] ?? "").trim()), extended[1] ?? "");
  const plain = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;]*))`, "i").exec(value);
  if (!plain) return "";
  return decodeWords(plain[1]?.replaceAll(/\\(.)/g, "$1") ?? (plain[2] ?? "").trim());
}

/** Bytes as text. An unknown charset, or none, is taken for UTF-8, and for windows-1252 where it is none. */
export function decodeBytes(bytes: Buffer, charset: string): string {
  const decoder = decoderOf(charset.toLowerCase());
  try {
    return decoder.decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** The bytes that a text of one character for each byte stands for, with its `=XX` undone (RFC 2045, 6.7). */
export function quotedPrintableBytes(text: string): Buffer {
  const joined = text.replaceAll(/=[ \t]{0,76}\r?\n/g, "");
  const bytes = joined.replaceAll(/=([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1");
}

function percentBytes(text: string): Buffer {
  const bytes = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1");
}

const encodedWord = /=\?([\w-]+)(?:\*[\w-]+)?\?([bq])\?([^?\r\n]*)\?=/gi;

/** Undoes encoded words; the rest is taken as UTF-8 or windows-1252, which is what unencoded fields hold. */
function decodeWords(value: string): string {
  const raw = /[\x80-\xff]/.test(value) ? decodeBytes(Buffer.from(value, "latin1"), "") : value;
  if (!raw.includes("=?")) return raw;
  // The space between two encoded words is no part of the text.
  return raw.replaceAll(/\?=[ \t]+(?==\?)/g, "?=").replaceAll(encodedWord, (_, charset, kind, text) => {
    const bytes =
      kind.toLowerCase() === "b"
        ? Buffer.from(text, "base64")
        : quotedPrintableBytes(text.replaceAll("_", " "));
    return decodeBytes(bytes, charset);
  });
}

const decoders = new Map<string, TextDecoder>();

function decoderOf(charset: string): TextDecoder {
  const known = decoders.get(charset);
  if (known) return known;
  const isPlain = charset === "" || charset === "us-ascii" || charset === "ascii";
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(isPlain ? "utf-8" : charset, { fatal: true });
  } catch {
    decoder = new TextDecoder("utf-8", { fatal: true });
  }
  // A message names its charset itself: no more names than there are charsets are kept.
  if (decoders.size < 64) decoders.set(charset, decoder);
  return decoder;
}
