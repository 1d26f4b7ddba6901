// Point reads that miss the cache: they go to a reader's thread, between the brackets that tell the cache whether a commit
// came in between.
import { rowBytes, rowToStoredOperation } from "../operation-rows.ts";
import type { ReadMany } from "../point-reads.ts";
import type { OperationCache } from "./operation-cache.ts";
import type { ThreadClient } from "./thread-client.ts";
import { keyParts, type ReaderCalls } from "./thread-messages.ts";

/** Reads through a cache. */
export function cachedPointReads(
  cache: OperationCache,
  reader: () => Promise<ThreadClient<ReaderCalls>>,
): ReadMany {
  return async (keys) => {
    const brackets = keys.map((key) => cache.beginRead(key));
    try {
      const rows = await (await reader()).call("getOperations", keys.map(keyParts));
      return brackets.map((bracket, index) => {
        const row = rows[index] ?? null;
        const stored = row === null ? undefined : rowToStoredOperation(row);
        return cache.endRead(bracket, stored, row === null ? 0 : rowBytes(row));
      });
    } catch (error) {
      for (const bracket of brackets) cache.endRead(bracket, undefined, 0);
      throw error;
    }
  };
}
