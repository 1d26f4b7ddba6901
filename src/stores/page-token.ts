// Page tokens: where the next page begins, sealed. A token is opaque, cannot be made or changed by a caller, works
// only for the request that it was made for, and says nothing about what a caller may see (AIP-158).
import { createCipheriv, createDecipheriv } from "node:crypto";
import { type Instant, MICROS_PER_SECOND } from "../base/clock.ts";
import { randomKey } from "../base/random.ts";
import { RpcError } from "../base/rpc-error.ts";

/** AIP-158: "a few days". */
export const PAGE_TOKEN_LIFETIME: Instant = 3 * 24 * 3600 * MICROS_PER_SECOND;

/** How old the newest sealing key may be: random nonces of one key stay far below 2^32. */
export const PAGE_TOKEN_KEY_ROTATION: Instant = 7 * 24 * 3600 * MICROS_PER_SECOND;

/** A 256-bit key with the number that its tokens carry. */
export interface PageTokenKey {
  id: number;
  bytes: Uint8Array;
}

/** What must be the same on every page; the page size may change. */
export interface PageScope {
  service: string;
  tenant: string;
  parent: string;
  filter: string;
}

/** The immutable sort key of the last row that was looked at. */
export interface PagePosition {
  createTime: Instant;
  id: string;
}

const ALGORITHM = "aes-256-gcm";
const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const INSTANT_BYTES = 8;

/** No token is longer: ids are at most 1,024 bytes. */
const TOKEN_LENGTH_MAX = 2000;

/** Seals a position: `key id | nonce | ciphertext of (issued, createTime, id) | tag`, in base64url. */
export function sealPageToken(
  key: PageTokenKey,
  scope: PageScope,
  position: PagePosition,
  now: Instant,
): string {
  const head = Buffer.alloc(KEY_ID_BYTES);
  head.writeUInt32BE(key.id);
  const nonce = randomKey(NONCE_BYTES);
  const claims = Buffer.concat([
    instantBytes(now),
    instantBytes(position.createTime),
    Buffer.from(position.id),
  ]);
  const cipher = createCipheriv(ALGORITHM, key.bytes, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(head, scope));
  const sealed = Buffer.concat([cipher.update(claims), cipher.final()]);
  return Buffer.concat([head, nonce, sealed, cipher.getAuthTag()]).toString("base64url");
}

/** Opens a token; throws INVALID_PAGE_TOKEN for one that was changed, is another request's, or is over three days old. */
export function openPageToken(
  token: string,
  keyBytes: (id: number) => Uint8Array | undefined,
  scope: PageScope,
  now: Instant,
): PagePosition {
  const bytes = decodeCanonical(token);
  const key = keyBytes(bytes.readUInt32BE(0));
  if (!key) throw invalid("it has expired");
  const claims = unseal(bytes, key, scope);
  const issued = claims.readDoubleBE(0);
  if (now - issued > PAGE_TOKEN_LIFETIME) throw invalid("it has expired: tokens live for 3 days");
  return {
    createTime: claims.readDoubleBE(INSTANT_BYTES),
    id: claims.toString("utf8", 2 * INSTANT_BYTES),
  };
}

function invalid(problem: string): RpcError {
  const fieldViolations = [{ field: "page_token", description: problem }];
  return new RpcError("INVALID_PAGE_TOKEN", { problem }, { fieldViolations });
}

const changed = "it was changed, or belongs to another request";

/** Base64url has several spellings of the same bytes (padding, spare bits); only the one that was given out counts. */
function decodeCanonical(token: string): Buffer {
  const bytes = token.length <= TOKEN_LENGTH_MAX ? Buffer.from(token, "base64url") : Buffer.alloc(0);
  const shortest = KEY_ID_BYTES + NONCE_BYTES + 2 * INSTANT_BYTES + TAG_BYTES;
  if (bytes.length < shortest || bytes.toString("base64url") !== token) throw invalid(changed);
  return bytes;
}

function unseal(bytes: Buffer, key: Uint8Array, scope: PageScope): Buffer {
  const head = bytes.subarray(0, KEY_ID_BYTES);
  const nonce = bytes.subarray(KEY_ID_BYTES, KEY_ID_BYTES + NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(boundTo(head, scope));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const sealed = bytes.subarray(KEY_ID_BYTES + NONCE_BYTES, bytes.length - TAG_BYTES);
  try {
    return Buffer.concat([decipher.update(sealed), decipher.final()]);
  } catch {
    throw invalid(changed);
  }
}

function instantBytes(instant: Instant): Buffer {
  const bytes = Buffer.alloc(INSTANT_BYTES);
  bytes.writeDoubleBE(instant);
  return bytes;
}

/** The scope is authenticated and not carried. JSON keeps its parts apart: ("a", "bc") is not ("ab", "c"). */
function boundTo(head: Uint8Array, { service, tenant, parent, filter }: PageScope): Buffer {
  return Buffer.concat([
    head,
    Buffer.from(JSON.stringify(["belay.page.v1", service, tenant, parent, filter])),
  ]);
}
