// The names that a watch is restricted to: up to 10,000, sent to the reader's thread once, and then named by a number. A
// read for each commit would otherwise clone them all each time (0.5 ms for 10,000).
import type { FeedQuery } from "../../engine/store.ts";
import type { ThreadClient } from "./thread-client.ts";
import type { FeedMessage, ReaderCalls } from "./thread-messages.ts";

type Reader = ThreadClient<ReaderCalls>;

export class FeedNames {
  /** By the array itself: a watch gives the same one with each read. */
  readonly #ids = new WeakMap<readonly string[], number>();
  #lastId = 0;

  /** Reads the feed; sends the names where the thread does not know them (any more). */
  async read(query: FeedQuery, reader: Reader): Promise<Exclude<FeedMessage, string>> {
    if (query.names === null) return whole(await reader.call("readFeed", { ...query, names: null }));
    const known = this.#ids.get(query.names);
    if (known !== undefined) {
      const page = await reader.call("readFeed", { ...query, names: { id: known, names: null } });
      if (page !== "names unknown") return page;
    }
    const id = known ?? ++this.#lastId;
    this.#ids.set(query.names, id);
    return whole(await reader.call("readFeed", { ...query, names: { id, names: query.names } }));
  }
}

function whole(page: FeedMessage): Exclude<FeedMessage, string> {
  if (page === "names unknown") throw new Error("the reader does not take the names of a watch");
  return page;
}
