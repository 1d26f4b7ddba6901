// Resume tokens: a position of the feed, sealed for the service and tenant that it was given to. They do not expire by
// themselves: the feed's retention ends what they can resume.
import { RpcError } from "../base/rpc-error.ts";
import { openToken, sealToken, type TokenKey } from "./sealed-token.ts";

/** Whose feed it is. */
export interface ResumeScope {
  service: string;
  tenant: string;
}

const POSITION_BYTES = 8;

export function sealResumeToken(key: TokenKey, scope: ResumeScope, position: number): string {
  const claims = Buffer.alloc(POSITION_BYTES);
  claims.writeDoubleBE(position);
  return sealToken(key, boundTo(scope), claims);
}

/** Opens a token; throws INVALID_RESUME_TOKEN for one that was changed, or is another scope's. */
export function openResumeToken(
  token: string,
  keyBytes: (id: number) => Uint8Array | undefined,
  scope: ResumeScope,
): number {
  const claims = openToken(token, keyBytes, boundTo(scope), POSITION_BYTES);
  if (typeof claims === "string" || claims.length !== POSITION_BYTES)
    throw new RpcError("INVALID_RESUME_TOKEN");
  return claims.readDoubleBE(0);
}

function boundTo({ service, tenant }: ResumeScope): string[] {
  return ["belay.resume.v1", service, tenant];
}
