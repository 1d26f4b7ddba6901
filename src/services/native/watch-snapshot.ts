// The present state of everything that is watched: what a watch with `initial` tells first.
import type { Engine } from "../../engine/engine.ts";
import type { FeedWatch } from "../../engine/feed-hub.ts";
import type { ListedOperation } from "../../engine/store.ts";
import { isNotFound } from "./watch-request.ts";

/** Reads of names at a time. */
const READS_AT_ONCE = 64;
const PAGE_SIZE = 500;

/** An operation as it stands; null for a name that nothing is known of. */
export interface PresentOperation {
  name: string;
  operation: ListedOperation | null;
}

/** Names in their order; else what a list answers, newest first. In slices, so that no more is read than is sent. */
export async function* presentOperations(
  engine: Engine,
  watch: FeedWatch,
): AsyncGenerator<readonly PresentOperation[]> {
  if (watch.names === null) yield* listed(engine, watch);
  else yield* named(engine, watch, watch.names);
}

async function* named(
  engine: Engine,
  { service, tenant }: FeedWatch,
  names: readonly string[],
): AsyncGenerator<readonly PresentOperation[]> {
  const read = async (name: string): Promise<PresentOperation> => {
    try {
      return { name, operation: await engine.detail({ service, tenant, name }) };
    } catch (error) {
      if (isNotFound(error)) return { name, operation: null };
      throw error;
    }
  };
  for (let first = 0; first < names.length; first += READS_AT_ONCE) {
    yield await Promise.all(names.slice(first, first + READS_AT_ONCE).map(read));
  }
}

async function* listed(
  engine: Engine,
  { service, tenant, parent, filter }: FeedWatch,
): AsyncGenerator<readonly PresentOperation[]> {
  let pageToken = "";
  do {
    const page = await engine.list({
      ...{ service, tenant, filter, pageToken },
      parent: parent ?? "",
      pageSize: PAGE_SIZE,
    });
    yield page.operations.map((operation) => ({ name: operation.record.name, operation }));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}
