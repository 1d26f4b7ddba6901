// What is searched of each message of the odd mailbox, and what no message may do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type MailMessage, parseMessage } from "./mail-message.ts";
import { readMailbox } from "./mbox-reader.ts";

async function oddMessages(): Promise<MailMessage[]> {
  const path = fileURLToPath(new URL("./odd-cases.mbox", import.meta.url));
  const messages: MailMessage[] = [];
  const options = { start: 0, signal: new AbortController().signal };
  for await (const batch of readMailbox(path, options)) messages.push(...batch.map(parseMessage));
  return messages;
}

function parse(text: string): MailMessage {
  return parseMessage({ separator: "From a", content: Buffer.from(text) });
}

const messages = await oddMessages();
const dates = messages.map(({ date }) => (date === null ? null : new Date(date).toISOString()));

test("one > of a quoted From line is taken away", () => {
  assert.ok(messages[0]!.text.startsWith("A line that began with From is marked:\nFrom the desk of Ada"));
  assert.ok(messages[0]!.text.includes("\n>From inside a quotation.\n> From nothing.\n"));
});

test("folded and encoded fields are read, and a base64 body", () => {
  const { from, to, subject, text } = messages[1]!;
  assert.equal(from, "Ben Jørgensen <ben@example.com>");
  assert.equal(to.replaceAll(/\s+/g, " "), "Ada <ada@example.com>, chloe@example.com");
  assert.equal(subject, "Отчёт für März");
  assert.equal(text, "Полный отчёт о проекте «Сокол».\n");
});

test("a quoted-printable body in windows-1251 with CRLF is read, its soft line ends undone", () => {
  assert.equal(
    messages[2]!.text.trim(),
    "Договор is the word, and this line is cut in the middleware. 100% sure.",
  );
});

test("of parts within parts the texts and the files' names are read, and nothing else", () => {
  const { text, files } = messages[3]!;
  assert.deepEqual(text.split(/\s+/), [
    "plainword",
    "htmlword",
    "&",
    "café",
    "forwardedsubject",
    "forwardedbody",
  ]);
  assert.deepEqual(files, ["счёт № 4711.pdf"]);
});

test("a date comes from the header, else from the From line, else there is none", () => {
  assert.deepEqual(dates, [
    "2026-03-02T09:15:00.000Z",
    "2026-03-02T10:00:00.000Z",
    "2026-03-02T11:00:00.000Z",
    "2026-03-03T08:00:00.000Z",
    "2026-03-04T12:30:00.000Z",
    null,
    "2026-03-05T04:00:00.000Z",
    "2026-03-06T00:00:00.000Z",
  ]);
});

test("bytes without a charset are UTF-8, or windows-1252 where they are no UTF-8", () => {
  const { subject, text, labels, bcc } = messages[6]!;
  assert.deepEqual([subject, text.trim()], ["Café in Latin-1", "No charset is named: Zürich."]);
  assert.deepEqual([labels, bcc], ["Important,Drafts", "hugo@example.com"]);
  assert.equal(parse("Subject: café\n\nZürich").text, "Zürich");
});

test("a message without a body, or without anything, is read as far as it goes", () => {
  assert.deepEqual([messages[7]!.subject, messages[7]!.text], ["No body and no end of line", ""]);
  const nothing = {
    from: "",
    to: "",
    cc: "",
    bcc: "",
    subject: "",
    labels: "",
    date: null,
    files: [],
    text: "",
  };
  assert.deepEqual(parse(""), nothing);
});

const html = "Content-Type: text/html\n\n";
const million = 1_000_000;

/** Each of them would take minutes if reading were not linear in the message's length. */
const hostile: readonly [what: string, text: string][] = [
  ["tags that never end", html + "<a ".repeat(million)],
  ["opening brackets", html + "<".repeat(million)],
  ["scripts that never end", html + "<script".repeat(million / 5)],
  ["styles that do end", html + "<style></style>".repeat(million / 10)],
  ["entities that are none", html + "&#".repeat(million)],
  ["soft line ends that are none", `Content-Transfer-Encoding: quoted-printable\n\n${"= ".repeat(million)}`],
  ["blanks before a line end", `Content-Transfer-Encoding: quoted-printable\n\n${" \t".repeat(20_000)}`],
  ["encoded words that never end", `Subject: ${"=?utf-8?q?".repeat(million / 10)}\n\n`],
  ["a field of blanks", `Subject${" ".repeat(50_000)}x\n\n`],
  ["a parameter's blanks", `Content-Type: text/plain;${" ".repeat(20_000)}x\n\n`],
  ["comments in a date", `Date: ${"(".repeat(50_000)}\n\n`],
  ["a long field in many lines", `Subject: a\n${" b\n".repeat(million / 4)}\n`],
  ["many fields of one name", `${"To: a\n".repeat(20_000)}\n`],
  ["many marks", `Content-Type: multipart/mixed; boundary=b\n\n${"--b\n".repeat(million / 4)}`],
  [
    "parts in parts",
    Array.from(
      { length: 5_000 },
      (_, at) => `Content-Type: multipart/mixed; boundary=${at}\n\n--${at}\n`,
    ).join(""),
  ],
  ["messages in messages", "Content-Type: message/rfc822\n\n".repeat(million / 10)],
];

for (const [what, text] of hostile) {
  test(`a message cannot hold up the count: ${what}`, () => {
    const begin = performance.now();
    parse(text);
    const tookMs = performance.now() - begin;
    assert.ok(tookMs < 2_000, `took ${tookMs} ms`);
  });
}
