// One invented message of the corpus, as the bytes of an mbox file. The forms take turns: plain text, quoted-printable,
// base64, two alternatives, an attached file. The words are our own.

export interface MessageOrder {
  /** Whose mailbox it is. */
  owner: string;
  people: readonly string[];
  /** Counts the mailbox's messages from 0. */
  number: number;
  /** The next number of the mailbox's sequence. */
  next: () => number;
}

const words =
  "about again agenda answer april attached basket because before better bridge budget building calendar carry change " +
  "clear coffee collect corner customer delivery desk detail draft early enough evening figures finish floor forward " +
  "friday garden glass ground harbour holiday hour invite kitchen ladder later letter light little market meeting " +
  "minutes monday morning move notes number office order paper parcel people plan please point printer quarter question " +
  "ready reason record reply report review river room sample schedule second send service short sign slide small start " +
  "station story street summer table team thank thursday ticket today together train travel tuesday update visit water " +
  "wednesday week window winter within work write yellow";
const vocabulary: readonly string[] = words.split(" ");

/** What a search can look for; in this share of the messages. No other text has these words. */
export const topics: readonly { subject: string; sentence: string; share: number }[] = [
  { subject: "Merger", sentence: "The merger with Solarmora closes in spring.", share: 0.05 },
  { subject: "Invoice overdue", sentence: "The invoice 4711 is overdue.", share: 0.1 },
  { subject: "Café Zürich", sentence: "We meet at the Café Zürich at noon.", share: 0.03 },
];

const FIRST_MS = Date.UTC(2024, 0, 1);
const STEP_MS = 3_600_000;

/** The message with its `From ` line in front and a blank line behind. */
export function writeMessage({ owner, people, number, next }: MessageOrder): Buffer {
  const other = pick(people, next);
  const isSent = next() < 0.4;
  const [from, to] = isSent ? [owner, other] : [other, owner];
  const date = new Date(FIRST_MS + number * STEP_MS + Math.floor(next() * STEP_MS));
  const topic = topicOf(next());
  const subject = topic?.subject ?? sentence(2 + next() * 5, next);
  const text = `${topic ? `${topic.sentence}\n\n` : ""}${paragraphs(next)}`;
  const fields = [
    `From: ${from[0]?.toUpperCase()}${from.slice(1)} <${from}@example.com>`,
    `To: ${to}@example.com`,
    ...(next() < 0.2 ? [`Cc: ${pick(people, next)}@example.com`] : []),
    `Subject: ${encodedHeader(subject)}`,
    `Date: ${date.toUTCString().replace("GMT", "+0000")}`,
    `Message-ID: <${number}.${owner}@example.com>`,
    ...(isSent && next() < 0.1 ? ["X-Gmail-Labels: Drafts"] : []),
    "MIME-Version: 1.0",
  ];
  const [day, dayOfMonth = "", month, year, time] = date.toUTCString().split(/,? /);
  const separator = `From ${from}@example.com ${day} ${month} ${String(Number(dayOfMonth)).padStart(2)} ${time} ${year}`;
  const whole = `${separator}\n${fields.join("\n")}\n${body(text, number, next)}\n\n`;
  // One of the mailboxes comes from a system that writes CRLF.
  return Buffer.from(owner === "hugo" ? whole.replaceAll("\n", "\r\n") : whole);
}

/** The fields of the body's form, a blank line, and the body. */
function body(text: string, number: number, next: () => number): string {
  const form = number % 10;
  if (form < 4)
    return `Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n${quoteFrom(text)}`;
  if (form < 6) return quotedPrintable("text/plain", text);
  if (form < 7) return base64("text/plain; charset=utf-8", Buffer.from(text));
  const boundary = `=_part_${number}`;
  const html = `<html><body><p>${text.replaceAll("\n\n", "</p><p>")}</p></body></html>`;
  const parts =
    form < 9
      ? [quotedPrintable("text/plain", text), quotedPrintable("text/html", html)]
      : [quotedPrintable("text/plain", text), attachment(number, next)];
  const kind = form < 9 ? "alternative" : "mixed";
  const marked = parts.map((part) => `--${boundary}\n${part}\n`).join("");
  return `Content-Type: multipart/${kind};\n boundary="${boundary}"\n\n${marked}--${boundary}--`;
}

function attachment(number: number, next: () => number): string {
  const bytes = Buffer.alloc(2_000 + Math.floor(next() * 30_000));
  for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.writeUInt32LE(Math.floor(next() * 2 ** 32), at);
  return base64(
    `application/octet-stream; name="sheet-${number}.bin"`,
    bytes,
    "\nContent-Disposition: attachment",
  );
}

function base64(type: string, bytes: Buffer, more = ""): string {
  const lines = bytes.toString("base64").replaceAll(/.{76}(?=.)/g, "$&\n");
  return `Content-Type: ${type}${more}\nContent-Transfer-Encoding: base64\n\n${lines}`;
}

function quotedPrintable(type: string, text: string): string {
  const encoded = text
    .split("\n")
    .map((line) =>
      softLines(
        Buffer.from(line)
          .toString("latin1")
          .replaceAll(/[=\x80-\xff]/g, escapeByte),
      ),
    )
    .join("\n");
  return `Content-Type: ${type}; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n${encoded}`;
}

function escapeByte(byte: string): string {
  return `=${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}

/** No line above 76 characters, and none cut within a `=XX`. */
function softLines(line: string): string {
  const units = line.includes("=") ? /(?:=..|[^=]){25}(?=.)/g : /.{75}(?=.)/g;
  return line.replaceAll(units, "$&=\n");
}

function encodedHeader(text: string): string {
  return /[^ -~]/.test(text) ? `=?UTF-8?B?${Buffer.from(text).toString("base64")}?=` : text;
}

function quoteFrom(text: string): string {
  return text.replaceAll(/^>*From /gm, ">$&");
}

function topicOf(chance: number): (typeof topics)[number] | undefined {
  let from = 0;
  for (const topic of topics) {
    if (chance >= from && chance < from + topic.share) return topic;
    from += topic.share;
  }
  return undefined;
}

function paragraphs(next: () => number): string {
  const count = 1 + Math.floor(next() * 8);
  return Array.from({ length: count }, () => {
    const sentences = Array.from(
      { length: 2 + Math.floor(next() * 6) },
      () => `${sentence(5 + next() * 12, next)}.`,
    );
    return sentences.join(" ").replaceAll(/(.{60,76}) /g, "$1\n");
  }).join("\n\n");
}

function sentence(length: number, next: () => number): string {
  const chosen = Array.from({ length: Math.floor(length) }, () => pick(vocabulary, next)).join(" ");
  return `${chosen[0]?.toUpperCase()}${chosen.slice(1)}`;
}

function pick(from: readonly string[], next: () => number): string {
  return from[Math.floor(next() * from.length)] ?? "";
}
