// A part of a chain as JSON lines, one file: a header, then entries and checkpoints in the order of the chain, then an end.
// Written here, read by verify-chain.ts.
//
//   {"format":"belay-receipts-1","service":S,"tenant":T,"after":0,"afterHash":"","publicKeys":{KEY_ID:KEY}}
//   {"entry":{"sequence":1,"name":N,"content":C,"hash":H}}
//   {"checkpoint":{"sequence":1,"hash":H,"time":"...","keyId":K,"signature":S}}
//   {"end":{"entries":1,"checkpoints":1,"digest":D}}
import { createHash, type Hash } from "node:crypto";
import type { Instant } from "../../base/clock.ts";
import type { ChainCheckpoint, ChainEntry } from "../store.ts";
import { canonicalText } from "./canonical-json.ts";
import { instantText } from "./receipt-content.ts";

export const CHAIN_FORMAT = "belay-receipts-1";

/** What stands in the first line. */
export interface ChainHeader {
  service: string;
  tenant: string;
  /** The entries begin after this sequence; 0 for a whole chain. */
  after: number;
  /** The hash of the entry at `after`; "" for a whole chain. */
  afterHash: string;
  /** base64url of the 32 bytes, by key id. */
  publicKeys: Readonly<Record<string, string>>;
}

export type LineEntry = Omit<ChainEntry, "service" | "tenant">;
export type LineCheckpoint = Omit<ChainCheckpoint, "service" | "tenant">;

/** Writes the lines of a file, each without its line feed, in the order of the calls: header, pages, end. */
export class ChainLines {
  readonly #digest: Hash = createHash("sha256");
  #entries = 0;
  #checkpoints = 0;

  header({ service, tenant, after, afterHash, publicKeys }: ChainHeader): string {
    return this.#line({
      format: CHAIN_FORMAT,
      service,
      tenant,
      after,
      afterHash,
      publicKeys: { ...publicKeys },
    });
  }

  /** The entries and the checkpoints of a page, each checkpoint behind the entry that it signs. */
  *page(entries: readonly LineEntry[], checkpoints: readonly LineCheckpoint[]): Generator<string> {
    let next = 0;
    const upTo = function* (this: ChainLines, sequence: number): Generator<string> {
      for (; next < checkpoints.length; next++) {
        const checkpoint = checkpoints[next];
        if (checkpoint === undefined || checkpoint.sequence > sequence) return;
        yield this.#checkpoint(checkpoint);
      }
    }.bind(this);
    for (const { sequence, name, content, hash } of entries) {
      yield* upTo(sequence - 1);
      this.#entries++;
      yield this.#line({ entry: { sequence, name, content, hash } });
    }
    yield* upTo(Number.POSITIVE_INFINITY);
  }

  end(): string {
    const digest = this.#digest.digest("base64url");
    return canonicalText({ end: { entries: this.#entries, checkpoints: this.#checkpoints, digest } });
  }

  #checkpoint({ sequence, hash, time, keyId, signature }: LineCheckpoint): string {
    this.#checkpoints++;
    return this.#line({ checkpoint: { sequence, hash, time: instantText(time), keyId, signature } });
  }

  #line(value: Parameters<typeof canonicalText>[0]): string {
    const line = canonicalText(value);
    this.#digest.update(line).update("\n");
    return line;
  }
}

/** Reads what instantText wrote; undefined for any other text. */
export function instantOf(text: unknown): Instant | undefined {
  if (typeof text !== "string") return undefined;
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z$/.exec(text);
  if (!match) return undefined;
  const instant = Date.parse(`${match[1]}Z`) * 1000 + Number(match[2]);
  return Number.isFinite(instant) && instantText(instant) === text ? instant : undefined;
}
