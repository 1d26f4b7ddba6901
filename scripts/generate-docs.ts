// Writes the documents that are made from the code: docs/reference/errors.md from the table of error reasons, and
// docs/reference/belay.schema.json from the form of belay.yaml. A test compares them, so a change of either without
// `node scripts/generate-docs.ts` fails.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ERROR_DOMAIN, type ErrorReasonRow, errorReasons } from "../src/base/error-reasons.ts";
import { httpStatusOf, statusCodeName } from "../src/base/status-code.ts";
import { configJsonSchema } from "../src/cli/config/config-json-schema.ts";

/** A document, or the part of one between its markers, as the code says it. */
export interface GeneratedDocument {
  /** Relative to the repository. */
  path: string;
  text: string;
}

const root = new URL("../", import.meta.url);

/** Rows whose REST answer is not what their code maps to. */
const httpStatusNote = /HTTP status (\d+)/;

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function errorRow(reason: string, row: ErrorReasonRow): string {
  const status = httpStatusNote.exec(row.when)?.[1] ?? httpStatusOf(row.code);
  const columns = [
    `\`${reason}\``,
    statusCodeName(row.code),
    String(status),
    `\`${cell(row.message)}\``,
    cell(row.when),
  ];
  return `| ${columns.join(" | ")} |`;
}

function errorsDocument(): string {
  const rows: [string, ErrorReasonRow][] = Object.entries(errorReasons);
  const sorted = rows.sort(([a], [b]) => (a < b ? -1 : 1));
  return `# Errors

<!-- Made by scripts/generate-docs.ts from src/base/error-reasons.ts: edit that table, not this page. -->

Every error that Belay answers carries a \`google.rpc.ErrorInfo\` with a reason from this table and the domain \`${ERROR_DOMAIN}\`.
The parameters in braces are repeated in \`ErrorInfo.metadata\` under the same name. On gRPC the code is the call's status, and the
details are in the trailer \`grpc-status-details-bin\`; on REST the body is the one of
[AIP-193](https://google.aip.dev/193), with the HTTP status beside the code; a service of the dialect yandex answers the bare
\`google.rpc.Status\` with a \`google.rpc.RequestInfo\`.

An error inside an operation (\`Operation.error\`) is something else: it is the stored outcome of the work, its code is a number of
\`google.rpc.Code\`, and it says nothing of the call that read it.

| reason | code | HTTP | message | when |
|---|---|---|---|---|
${sorted.map(([reason, row]) => errorRow(reason, row)).join("\n")}
`;
}

/** Every generated document with the text that it must have. */
export function generatedDocuments(): GeneratedDocument[] {
  return [
    { path: "docs/reference/errors.md", text: errorsDocument() },
    { path: "docs/reference/belay.schema.json", text: configJsonSchema() },
  ];
}

/** The text that is there now; "" if there is none. */
export function currentText(path: string): string {
  try {
    return readFileSync(new URL(path, root), "utf8");
  } catch {
    return "";
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, text } of generatedDocuments()) {
    if (currentText(path) === text) continue;
    writeFileSync(new URL(path, root), text);
    console.log(`wrote ${path}`);
  }
}
