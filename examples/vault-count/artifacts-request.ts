// CountArtifactsRequest: read for the handler, and checked before an operation starts. Of the query it takes what mail can
// be asked. It loads nothing of the archive.
import type { FieldViolation, JsonObject } from "belayd/worker";
import { violationsOf } from "./field-readings.ts";
import {
  checkFields,
  InvalidQuery,
  type MessageQuery,
  objectField,
  queryTest,
  textField,
} from "./message-query.ts";
import type { MessageTest } from "./search-terms.ts";

const requestFields = ["matterId", "query", "view"];
const queryFields = [
  ...["corpus", "dataScope", "searchMethod", "method", "accountInfo", "orgUnitInfo", "terms"],
  ...["startTime", "endTime", "timeZone", "mailOptions"],
];
const searchMethods = ["SEARCH_METHOD_UNSPECIFIED", "ACCOUNT", "ENTIRE_ORG"];

/** What is to be counted. */
export interface ArtifactsRequest {
  matches: MessageTest;
  /** The addresses to search, lower case; null for all. */
  emails: string[] | null;
  /** Whether the counts of each account are wanted. */
  isAll: boolean;
}

/** Reads a request. Throws InvalidQuery or InvalidTerms. */
export function readArtifactsRequest(input: JsonObject): ArtifactsRequest {
  checkFields(input, "the request", requestFields);
  checkMatter(input);
  const isAll = readView(input) === "ALL";
  const query = objectField(input, "query");
  checkFields(query, "the query", queryFields);
  checkScope(query);
  return { isAll, matches: queryTest(readQuery(query)), emails: readEmails(query) };
}

/** Everything that readArtifactsRequest would refuse. */
export function checkArtifactsRequest(input: JsonObject): FieldViolation[] {
  const violations = violationsOf({
    "": () => checkFields(input, "the request", requestFields),
    matter_id: () => checkMatter(input),
    view: () => readView(input),
    query: () => checkFields(objectField(input, "query"), "the query", queryFields),
  });
  const { query: given = null } = input;
  if (given !== null && (typeof given !== "object" || Array.isArray(given))) return violations;
  const query = objectField(input, "query");
  const { terms = null, startTime = null, endTime = null, mailOptions = null } = query;
  violations.push(
    ...violationsOf({
      "query.corpus": () => checkCorpus(query),
      "query.dataScope": () => checkDataScope(query),
      "query.accountInfo": () => readEmails(query),
      "query.mailOptions": () => readQuery({ mailOptions }),
      "query.terms": () => queryTest(readQuery({ terms })),
      "query.startTime": () => queryTest(readQuery({ startTime })),
      "query.endTime": () => queryTest(readQuery({ endTime })),
    }),
  );
  if (violations.some(({ field }) => field.endsWith("Time"))) return violations;
  const span = violationsOf({ "query.endTime": () => queryTest(readQuery({ startTime, endTime })) });
  return [...violations, ...span];
}

function checkMatter(input: JsonObject): void {
  if (textField(input, "matterId") === undefined) throw new InvalidQuery("the request names no matter");
}

function readView(input: JsonObject): string | undefined {
  return oneOf(input, "view", ["COUNT_RESULT_VIEW_UNSPECIFIED", "TOTAL_COUNT", "ALL"]);
}

function checkScope(query: JsonObject): void {
  checkCorpus(query);
  checkDataScope(query);
}

function checkCorpus(query: JsonObject): void {
  const corpus = oneOf(query, "corpus", ["MAIL"]);
  if (corpus === undefined) throw new InvalidQuery("the query names no corpus; served is: MAIL");
}

function checkDataScope(query: JsonObject): void {
  oneOf(query, "dataScope", ["DATA_SCOPE_UNSPECIFIED", "ALL_DATA"]);
}

function readQuery(query: JsonObject): MessageQuery {
  const mailOptions = objectField(query, "mailOptions");
  checkFields(mailOptions, "mailOptions", ["excludeDrafts"]);
  const read: MessageQuery = { excludeDrafts: mailOptions["excludeDrafts"] === true };
  for (const name of ["terms", "startTime", "endTime"] as const) {
    const text = textField(query, name);
    if (text !== undefined) read[name] = text;
  }
  return read;
}

function readEmails(query: JsonObject): string[] | null {
  // `searchMethod` is the older name of the same field.
  const method = oneOf(query, "method", searchMethods) ?? oneOf(query, "searchMethod", searchMethods);
  const { emails = [] } = objectField(query, "accountInfo");
  if (!Array.isArray(emails) || !emails.every((email) => typeof email === "string")) {
    throw new InvalidQuery(`accountInfo.emails ${JSON.stringify(emails)} is no list of addresses`);
  }
  if (method === "ENTIRE_ORG") return null;
  if (method === "ACCOUNT" && emails.length === 0) {
    throw new InvalidQuery("the query searches by account, and accountInfo.emails names none");
  }
  return emails.length === 0 ? null : emails.map((email) => email.toLowerCase());
}

/** An enum's name, if it is one that is served; undefined where it is absent. */
function oneOf(object: JsonObject, name: string, served: readonly string[]): string | undefined {
  const value = textField(object, name);
  if (value === undefined || served.includes(value)) return value;
  throw new InvalidQuery(
    `${name} ${JSON.stringify(value)} is not served here; served are: ${served.join(", ")}`,
  );
}
