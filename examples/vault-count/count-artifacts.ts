// The handler of vault.count-artifacts, which Google Vault's matters.count starts: CountArtifactsRequest in,
// CountArtifactsResponse out, as the JSON of their messages. Of the query it serves what mail can be asked.
import type { JsonObject, OperationContext } from "belayd/worker";
import { archiveRate, type Mailbox, openArchive } from "./archive.ts";
import { countMessages, type MailboxCount, sum } from "./archive-count.ts";
import {
  checkFields,
  InvalidQuery,
  type MessageQuery,
  objectField,
  queryTest,
  textField,
} from "./message-query.ts";

const queryFields = [
  ...["corpus", "dataScope", "searchMethod", "method", "accountInfo", "orgUnitInfo", "terms"],
  ...["startTime", "endTime", "timeZone", "mailOptions"],
];

/**
 * Takes `{"matterId": "m1", "query": {"corpus": "MAIL", "accountInfo": {"emails": ["ada@example.com"]}, "terms":
 * "merger"}, "view": "ALL"}`. Without accounts the whole archive is counted. Answers
 * `{"totalCount": "12", "mailCountResult": {"queriedAccountsCount": "1", "matchingAccountsCount": "1",
 * "accountCounts": [{"account": {"email": "ada@example.com"}, "count": "12"}]}}`; int64 is a text in JSON.
 * https://developers.google.com/workspace/vault/reference/rest/v1/matters/count
 */
export async function handler(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  checkFields(input, "the request", ["matterId", "query", "view"]);
  if (textField(input, "matterId") === undefined) throw new InvalidQuery("the request names no matter");
  const isAll = oneOf(input, "view", ["COUNT_RESULT_VIEW_UNSPECIFIED", "TOTAL_COUNT", "ALL"]) === "ALL";
  const query = objectField(input, "query");
  const matches = queryTest(readQuery(query));
  const emails = readEmails(query);
  const archive = await openArchive(context);
  const mailboxes = archive.filter(({ name }) => emails === null || emails.includes(name.toLowerCase()));
  const counts = await countMessages(context, { mailboxes, matches, ratePerSecond: archiveRate() });
  return {
    totalCount: String(sum(counts, (count) => count.matches)),
    mailCountResult: mailCountResult(counts, { isAll, failed: emailsWithout(archive, emails ?? []) }),
  };
}

function readQuery(query: JsonObject): MessageQuery {
  checkFields(query, "the query", queryFields);
  const corpus = oneOf(query, "corpus", ["MAIL"]);
  if (corpus === undefined) throw new InvalidQuery("the query names no corpus; served is: MAIL");
  oneOf(query, "dataScope", ["DATA_SCOPE_UNSPECIFIED", "ALL_DATA"]);
  const mailOptions = objectField(query, "mailOptions");
  checkFields(mailOptions, "mailOptions", ["excludeDrafts"]);
  const read: MessageQuery = { excludeDrafts: mailOptions["excludeDrafts"] === true };
  for (const name of ["terms", "startTime", "endTime"] as const) {
    const text = textField(query, name);
    if (text !== undefined) read[name] = text;
  }
  return read;
}

/** The addresses to search, lower case; null for all. */
function readEmails(query: JsonObject): string[] | null {
  const methods = ["SEARCH_METHOD_UNSPECIFIED", "ACCOUNT", "ENTIRE_ORG"];
  // `searchMethod` is the older name of the same field.
  const method = oneOf(query, "method", methods) ?? oneOf(query, "searchMethod", methods);
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

function emailsWithout(archive: readonly Mailbox[], emails: readonly string[]): string[] {
  return emails.filter((email) => archive.every(({ name }) => name.toLowerCase() !== email));
}

function mailCountResult(
  counts: readonly MailboxCount[],
  { isAll, failed }: { isAll: boolean; failed: readonly string[] },
): JsonObject {
  const matching = counts.filter((count) => count.matches > 0);
  return {
    queriedAccountsCount: String(counts.length + failed.length),
    matchingAccountsCount: String(matching.length),
    // Nothing is known of an account without a mailbox here: it did not count 0, it could not be counted.
    accountCountErrors: failed.map((email) => ({ account: { email }, errorType: "UNKNOWN" })),
    ...(isAll && {
      accountCounts: matching.map(({ mailbox, matches }) => ({
        account: { email: mailbox },
        count: String(matches),
      })),
    }),
  };
}

/** An enum's name, if it is one that is served; undefined where it is absent. */
function oneOf(object: JsonObject, name: string, served: readonly string[]): string | undefined {
  const value = textField(object, name);
  if (value === undefined || served.includes(value)) return value;
  throw new InvalidQuery(
    `${name} ${JSON.stringify(value)} is not served here; served are: ${served.join(", ")}`,
  );
}
