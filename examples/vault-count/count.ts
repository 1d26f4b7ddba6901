// The handler of vault.count: how many messages of the archive match.
import type { JsonObject, OperationContext } from "belayd/worker";
import { archiveRate, type Mailbox, openArchive } from "./archive.ts";
import { countMessages, sum } from "./archive-count.ts";
import { readCountRequest } from "./count-request.ts";

/** google.rpc.Code.NOT_FOUND: the operation fails with it. */
class UnknownMailbox extends Error {
  override name = "UnknownMailbox";
  readonly code = 5;
}

/**
 * Takes `{"terms": "merger", "mailbox": "ada@example.com", "from": "ben", "to": "ada", "startTime": "2024-03-01",
 * "endTime": "2024-04-01", "ratePerSecond": 500000}`, each of them optional. The start is in the span, the end is not;
 * the rate is in bytes, 0 is no limit, and absent it is the archive's. Answers
 * `{"matches": 12, "messages": 3456, "undated": 0, "bytes": 6000123, "mailboxes": [{"mailbox": ..., ...}]}`.
 */
export async function handler(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  const { matches, mailbox, ratePerSecond: rate } = readCountRequest(input);
  const ratePerSecond = rate ?? archiveRate();
  const mailboxes = choose(await openArchive(context), mailbox);
  const counts = await countMessages(context, { mailboxes, matches, ratePerSecond });
  return {
    matches: sum(counts, (count) => count.matches),
    messages: sum(counts, (count) => count.messages),
    undated: sum(counts, (count) => count.undated),
    bytes: sum(counts, (count) => count.bytes),
    mailboxes: counts,
  };
}

function choose(mailboxes: readonly Mailbox[], name: string | undefined): readonly Mailbox[] {
  if (name === undefined) return mailboxes;
  const found = mailboxes.filter((mailbox) => mailbox.name === name);
  if (found.length > 0) return found;
  const known = mailboxes.map((mailbox) => mailbox.name).join(", ");
  throw new UnknownMailbox(`there is no mailbox ${JSON.stringify(name)}; there are: ${known}`);
}
