// Page tokens: where the next page begins, sealed. A token works only for the request that it was made for, for three
// days, and says nothing about what a caller may see (AIP-158).
import { type Instant, MICROS_PER_SECOND } from "../base/clock.ts";
import { RpcError } from "../base/rpc-error.ts";
import { openToken, sealToken, type TokenKey } from "./sealed-token.ts";

/** AIP-158: "a few days". */
export const PAGE_TOKEN_LIFETIME: Instant = 3 * 24 * 3600 * MICROS_PER_SECOND;

/** What must be the same on every page; the page size may change. */
export interface PageScope {
  service: string;
  tenant: string;
  parent: string;
  filter: string;
  showDeleted?: boolean;
  orderBy?: string;
}

/** The immutable sort key of the last row that was looked at. */
export interface PagePosition {
  createTime: Instant;
  id: string;
}

const INSTANT_BYTES = 8;

/** Seals a position: (issued, createTime, id). */
export function sealPageToken(key: TokenKey, scope: PageScope, position: PagePosition, now: Instant): string {
  const id = Buffer.from(position.id);
  const claims = Buffer.concat([instantBytes(now), instantBytes(position.createTime), id]);
  return sealToken(key, boundTo(scope), claims);
}

/** Opens a token; throws INVALID_PAGE_TOKEN for one that was changed, is another request's, or is over three days old. */
export function openPageToken(
  token: string,
  keyBytes: (id: number) => Uint8Array | undefined,
  scope: PageScope,
  now: Instant,
): PagePosition {
  const claims = openToken(token, keyBytes, boundTo(scope), 2 * INSTANT_BYTES);
  if (claims === "changed") throw invalid("it was changed, or belongs to another request");
  if (claims === "expired") throw invalid("it has expired");
  if (now - claims.readDoubleBE(0) > PAGE_TOKEN_LIFETIME)
    throw invalid("it has expired: tokens live for 3 days");
  return {
    createTime: claims.readDoubleBE(INSTANT_BYTES),
    id: claims.toString("utf8", 2 * INSTANT_BYTES),
  };
}

function invalid(problem: string): RpcError {
  const fieldViolations = [{ field: "page_token", description: problem }];
  return new RpcError("INVALID_PAGE_TOKEN", { problem }, { fieldViolations });
}

function instantBytes(instant: Instant): Buffer {
  const bytes = Buffer.alloc(INSTANT_BYTES);
  bytes.writeDoubleBE(instant);
  return bytes;
}

function boundTo(scope: PageScope): string[] {
  const { service, tenant, parent, filter, showDeleted = false, orderBy = "" } = scope;
  const order = isOldestFirst(orderBy) ? "oldest" : "newest";
  return ["belay.page.v2", service, tenant, parent, filter, order, showDeleted ? "deleted too" : ""];
}

/** AIP-132: `create_time` is ascending; `""` and `create_time desc` are the default, newest first. */
export function isOldestFirst(orderBy: string): boolean {
  const words = orderBy.trim().split(/\s+/);
  return words[0] === "create_time" && (words.length === 1 || words[1] === "asc");
}
