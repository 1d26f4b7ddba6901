// The handler of vault.count-artifacts, which Google Vault's matters.count starts: CountArtifactsRequest in,
// CountArtifactsResponse out, as the JSON of their messages.
import type { JsonObject, OperationContext } from "belayd/worker";
import { archiveRate, type Mailbox, openArchive } from "./archive.ts";
import { countMessages, type MailboxCount, sum } from "./archive-count.ts";
import { readArtifactsRequest } from "./artifacts-request.ts";

/**
 * Takes `{"matterId": "m1", "query": {"corpus": "MAIL", "accountInfo": {"emails": ["ada@example.com"]}, "terms":
 * "merger"}, "view": "ALL"}`. Without accounts the whole archive is counted. Answers
 * `{"totalCount": "12", "mailCountResult": {"queriedAccountsCount": "1", "matchingAccountsCount": "1",
 * "accountCounts": [{"account": {"email": "ada@example.com"}, "count": "12"}]}}`; int64 is a text in JSON.
 * https://developers.google.com/workspace/vault/reference/rest/v1/matters/count
 */
export async function handler(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  const { isAll, matches, emails } = readArtifactsRequest(input);
  const archive = await openArchive(context);
  const mailboxes = archive.filter(({ name }) => emails === null || emails.includes(name.toLowerCase()));
  const counts = await countMessages(context, { mailboxes, matches, ratePerSecond: archiveRate() });
  return {
    totalCount: String(sum(counts, (count) => count.matches)),
    mailCountResult: mailCountResult(counts, { isAll, failed: emailsWithout(archive, emails ?? []) }),
  };
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
