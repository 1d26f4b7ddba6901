// From the bytes of a message to what can be searched: its people, subject, date, labels, files and the text of its parts.
import {
  decodeBytes,
  headerText,
  type MailHeader,
  mainValue,
  parameter,
  quotedPrintableBytes,
  splitHeader,
} from "./mail-header.ts";

/** What is searched. */
export interface MailMessage {
  from: string;
  to: string;
  cc: string;
  bcc: string;
  subject: string;
  /** Gmail's labels, as its mbox exports have them. */
  labels: string;
  /** Milliseconds since 1970; null if neither the header nor the `From ` line tells. */
  date: number | null;
  /** The names of attached files. */
  files: readonly string[];
  /** The text of every part that has some. */
  text: string;
}

/** Parts within parts, no deeper. */
const DEPTH_MAX = 10;
/** More parts than that are not searched. */
const PARTS_MAX = 1_000;

/** Reads a message, as far as it can be read: nothing in it makes this throw. */
export function parseMessage({ separator, content }: { separator: string; content: Buffer }): MailMessage {
  const quoted = content.toString("latin1");
  // Whoever wrote the file put a `>` in front of lines that began with `From `, or with `>From `.
  const text = quoted.includes("\n>") ? quoted.replaceAll(/^>(>*From )/gm, "$1") : quoted;
  const { header, body } = splitHeader(text);
  const found: Found = { files: [], texts: [], parts: 0 };
  readPart(header, body, found, 0);
  return {
    from: headerText(header, "from"),
    to: headerText(header, "to"),
    cc: headerText(header, "cc"),
    bcc: headerText(header, "bcc"),
    subject: headerText(header, "subject"),
    labels: headerText(header, "x-gmail-labels"),
    date: dateOf(header.get("date")?.[0] ?? "") ?? envelopeDate(separator),
    files: found.files,
    text: found.texts.join("\n"),
  };
}

interface Found {
  files: string[];
  texts: string[];
  parts: number;
}

function readPart(header: MailHeader, body: string, found: Found, depth: number): void {
  const file =
    parameter(header, "content-disposition", "filename") || parameter(header, "content-type", "name");
  if (file !== "") found.files.push(file);
  const type = mainValue(header, "content-type");
  const boundary = type.startsWith("multipart/") ? parameter(header, "content-type", "boundary") : "";
  if (boundary !== "") {
    if (depth < DEPTH_MAX) readParts(body, boundary, found, depth + 1);
  } else if (type === "message/rfc822") {
    const inner = splitHeader(body);
    found.texts.push(headerText(inner.header, "subject"));
    if (depth < DEPTH_MAX) readPart(inner.header, inner.body, found, depth + 1);
  } else if (type === "" || type.startsWith("text/")) {
    const text = decodeBytes(bodyBytes(header, body), parameter(header, "content-type", "charset"));
    found.texts.push(type === "text/html" ? textOfHtml(text) : text);
  }
}

function readParts(body: string, boundary: string, found: Found, depth: number): void {
  const mark = `\n--${boundary}`;
  // What is in front of the first mark is for readers that know no parts.
  const [, ...parts] = `\n${body}`.split(mark);
  for (const part of parts) {
    if (part.startsWith("--") || ++found.parts > PARTS_MAX) return;
    const { header, body: inner } = splitHeader(part.replace(/^[ \t]*\r?\n/, ""));
    readPart(header, inner, found, depth);
  }
}

function bodyBytes(header: MailHeader, body: string): Buffer {
  switch (mainValue(header, "content-transfer-encoding")) {
    case "base64":
      return Buffer.from(body, "base64"); // passes over line ends
    case "quoted-printable":
      return quotedPrintableBytes(body);
    default:
      return Buffer.from(body, "latin1");
  }
}

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
};

/** In one pass over the text, whatever it holds: a message must not be able to make a count hang. */
function textOfHtml(html: string): string {
  const visible: string[] = [];
  const opening = /<(style|script)\b/gi;
  let start = 0;
  for (let open = opening.exec(html); open; open = opening.exec(html)) {
    visible.push(html.slice(start, open.index));
    const closing = new RegExp(`</${open[1]}[^<>]*>`, "gi");
    closing.lastIndex = opening.lastIndex;
    start = closing.exec(html) ? closing.lastIndex : html.length;
    opening.lastIndex = start;
  }
  visible.push(html.slice(start));
  return visible
    .join(" ")
    .replaceAll(/<[^<>]*>/g, " ")
    .replaceAll(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w{2,8}));/gi, (whole, decimal, hex, name) => {
      if (name !== undefined) return entities[name.toLowerCase()] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    });
}

function dateOf(value: string): number | null {
  const date = Date.parse(value.replaceAll(/\([^()]*\)/g, "").trim());
  return Number.isNaN(date) ? null : date;
}

/** `From ada@example.com Mon Mar  2 09:15:00 2026`: UTC, unless it names another zone (RFC 4155). */
function envelopeDate(separator: string): number | null {
  const date = /\b(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) ([A-Z][a-z]{2} +\d+ [\d:]+)( [+-]\d{4})? (\d{4})/.exec(
    separator,
  );
  return date && dateOf(`${date[1]} ${date[3]}${date[2] ?? " UTC"}`);
}
