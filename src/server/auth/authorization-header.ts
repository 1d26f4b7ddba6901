// Reads the authorization header: the only place where a credential may be. Nothing of it is ever repeated in an error.
import { RpcError } from "../../base/rpc-error.ts";
import type { Dialect } from "../../services/service-declaration.ts";
import { TOKEN_PATTERN } from "./auth-config.ts";

/** What came in the header. */
export interface Credential {
  readonly scheme: "bearer" | "api-key";
  readonly token: string;
}

/** A longer token is refused unread. The whole of a call's headers may be 16,384 bytes. */
export const TOKEN_LENGTH_MAX = 8192;

const SCHEME = /^([A-Za-z][A-Za-z0-9-]*)(?: +|$)/;

/** Schemes that may be named in an answer. Where another word stands, it may be the token itself. */
const knownSchemes = ["Basic", "Digest", "Negotiate", "NTLM", "HOBA", "Mutual", "OAuth", "DPoP", "Api-Key"];

/**
 * The credential of a call from all of its authorization headers. `Api-Key` is for yandex services.
 * Throws CREDENTIALS_MISSING, ACCESS_TOKEN_TYPE_UNSUPPORTED, ACCESS_TOKEN_INVALID.
 */
export function readAuthorization(values: readonly string[], dialect: Dialect): Credential {
  const [value] = values;
  if (value === undefined) throw new RpcError("CREDENTIALS_MISSING");
  // Two headers: a proxy in front may have checked the other one.
  if (values.length > 1) throw refusedToken("the call has more than one authorization header");
  const match = SCHEME.exec(value);
  const scheme = match?.[1]?.toLowerCase();
  const isApiKey = scheme === "api-key" && dialect === "yandex";
  if (!match || (scheme !== "bearer" && !isApiKey)) {
    const known = knownSchemes.find((name) => name.toLowerCase() === scheme);
    throw new RpcError("ACCESS_TOKEN_TYPE_UNSUPPORTED", { scheme: known ?? "that was sent" });
  }
  const token = value.slice(match[0].length);
  if (token.length > TOKEN_LENGTH_MAX) {
    throw refusedToken(`it has ${token.length} characters; at most ${TOKEN_LENGTH_MAX} are taken`);
  }
  if (!TOKEN_PATTERN.test(token)) throw refusedToken("the authorization header is malformed");
  return { scheme: isApiKey ? "api-key" : "bearer", token };
}

/** ACCESS_TOKEN_INVALID. The problem is fixed text of ours: never a part of the token. */
export function refusedToken(problem: string): RpcError {
  return new RpcError("ACCESS_TOKEN_INVALID", { problem });
}
