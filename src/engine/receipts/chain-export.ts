// Reads a chain for somebody else: pages with the public keys, the last one always signed.
import type { ChainCheckpoint, ChainEntry, Store } from "../store.ts";
import { GENESIS_HASH, signPlace } from "./chain-hash.ts";
import { ChainLines } from "./chain-lines.ts";
import type { ReceiptKeys } from "./receipt-keys.ts";

export interface ChainQuery {
  service: string;
  tenant: string;
  /** Entries after this sequence. */
  after: number;
  /** 1-1000. */
  limit: number;
}

/** A page of a chain. */
export interface ChainPage {
  entries: readonly ChainEntry[];
  /** Those whose sequence lies in the page, in order; the last page ends with one over its last entry. */
  checkpoints: readonly ChainCheckpoint[];
  /** base64url of the 32 bytes, by key id. */
  publicKeys: Readonly<Record<string, string>>;
  /** 0 at the end. */
  nextAfter: number;
}

type ReadableChain = Pick<Store, "clock" | "readChain" | "chainHead">;

/**
 * A page of a tenant's chain. Where the newest entry has no checkpoint yet, one is signed for this answer, so that a copy
 * that is cut short can be told from a whole one; it is not stored.
 */
export async function exportChain(
  store: ReadableChain,
  keys: ReceiptKeys | null,
  { service, tenant, after, limit }: ChainQuery,
): Promise<ChainPage> {
  const [{ entries, checkpoints }, head] = await Promise.all([
    store.readChain({ service, tenant, after, limit }),
    store.chainHead(service, tenant),
  ]);
  const last = entries.at(-1);
  const isEnd = last === undefined || head === undefined || last.sequence >= head.sequence;
  const isSigned = last === undefined || checkpoints.some(({ sequence }) => sequence === last.sequence);
  const signed =
    isEnd && !isSigned && keys ? [...checkpoints, signHead(last, store.clock.now(), keys)] : checkpoints;
  return {
    entries,
    checkpoints: signed,
    publicKeys: keys?.publicKeys() ?? {},
    nextAfter: isEnd ? 0 : last.sequence,
  };
}

/** A checkpoint over an entry. */
export function signHead(
  { service, tenant, sequence, hash }: ChainEntry,
  time: number,
  keys: ReceiptKeys,
): ChainCheckpoint {
  const { keyId, privateKey } = keys.signing();
  const place = { service, tenant, sequence, hash, time };
  return { ...place, keyId, signature: signPlace(place, privateKey) };
}

/** The lines of a file with everything after `after`, without their line feeds. Pages come from `exportChain` or a client. */
export async function* chainFile(
  from: { service: string; tenant: string; after: number; afterHash: string },
  readPage: (after: number) => Promise<
    Omit<ChainPage, "entries" | "checkpoints"> & {
      entries: readonly Omit<ChainEntry, "service" | "tenant">[];
      checkpoints: readonly Omit<ChainCheckpoint, "service" | "tenant">[];
    }
  >,
): AsyncGenerator<string> {
  const lines = new ChainLines();
  let page = await readPage(from.after);
  yield lines.header({ ...from, publicKeys: page.publicKeys });
  for (;;) {
    yield* lines.page(page.entries, page.checkpoints);
    if (page.nextAfter === 0) break;
    page = await readPage(page.nextAfter);
  }
  yield lines.end();
}

/** What `chainFile` needs to begin at the beginning. */
export const wholeChain: { after: number; afterHash: string } = { after: 0, afterHash: GENESIS_HASH };
