// Resume tokens: a position of the feed, sealed for the service and tenant that it was given to. They do not expire by
// themselves: the feed's retention ends what they can resume. They hold when they were sealed, since a database that was
// restored to an earlier moment, or lost its last commits in a fail-over, gives the same positions to other events:
//
//   backup at 90 -> events 91 to 99, a token at 99 -> restored -> other events 91 to 120: resumed at 99, the watch would miss
//   91 to 99. In the history that the token is of, 99 was there when it was sealed; here it came later.
import { type Instant, MICROS_PER_SECOND } from "../base/clock.ts";
import { RpcError } from "../base/rpc-error.ts";
import { openToken, sealToken, type TokenKey } from "./sealed-token.ts";

/** Whose feed it is. */
export interface ResumeScope {
  service: string;
  tenant: string;
}

const NUMBER_BYTES = 8;
const CLAIMS_BYTES = 2 * NUMBER_BYTES;

/** Nodes know the database's clock to some milliseconds: an event may look younger than a token that was sealed after it. */
const CLOCK_SLACK: Instant = MICROS_PER_SECOND;

/** What a token says: a position of the feed, and when it was sealed. */
export interface ResumeClaims {
  position: number;
  sealTime: Instant;
}

export function sealResumeToken(key: TokenKey, scope: ResumeScope, told: ResumeClaims): string {
  const claims = Buffer.alloc(CLAIMS_BYTES);
  claims.writeDoubleBE(told.position);
  claims.writeDoubleBE(told.sealTime, NUMBER_BYTES);
  return sealToken(key, boundTo(scope), claims);
}

/** Opens a token; throws INVALID_RESUME_TOKEN for one that was changed, or is another scope's. */
export function openResumeToken(
  token: string,
  keyBytes: (id: number) => Uint8Array | undefined,
  scope: ResumeScope,
): ResumeClaims {
  const claims = openToken(token, keyBytes, boundTo(scope), CLAIMS_BYTES);
  if (typeof claims === "string" || claims.length !== CLAIMS_BYTES)
    throw new RpcError("INVALID_RESUME_TOKEN");
  return { position: claims.readDoubleBE(0), sealTime: claims.readDoubleBE(NUMBER_BYTES) };
}

/**
 * Throws RESUME_TOKEN_EXPIRED for a token of a time that the database has lost. `newest` is the end of the feed; `time` of the
 * event at the token's position, null where that is not known.
 */
export function requireSameHistory(
  { position, sealTime }: ResumeClaims,
  { newest, time }: { newest: number; time: Instant | null },
): void {
  if (position > newest || (time !== null && time > sealTime + CLOCK_SLACK)) {
    throw new RpcError("RESUME_TOKEN_EXPIRED");
  }
}

function boundTo({ service, tenant }: ResumeScope): string[] {
  return ["belay.resume.v1", service, tenant];
}
