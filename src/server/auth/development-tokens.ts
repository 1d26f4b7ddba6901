// Tokens for development: `belay token` mints them with a key in the data folder, and a server with
// `auth.development: true` on that folder takes them. Whoever can read the key can be anybody.
import { join } from "node:path";
import { type Clock, type Instant, MICROS_PER_SECOND, monotonicMs } from "../../base/clock.ts";
import { makeId } from "../../base/ids.ts";
import { createPrivateFile, readPrivateFile } from "../../base/private-files.ts";
import type { Principal } from "../../services/method.ts";
import { type KeyLookup, type UnverifiedToken, verifySignature } from "./json-web-token.ts";
import { localKeys } from "./local-keys.ts";
import {
  makeSigningKey,
  type SigningKey,
  signingKeyFromJson,
  signingKeyToJson,
  signToken,
} from "./signing-key.ts";
import { checkTimes, grantsOfClaims, nameOfClaims, scopesOfClaims, tenantOfClaims } from "./token-claims.ts";
import type { TokenVerifier, VerifiedToken } from "./verified-token.ts";

/** The `iss` of these tokens; no configured issuer may have it. */
export const DEVELOPMENT_ISSUER = "belay/development";

const KEY_FILE = "development-key.json";

/** Made-up key ids make us look into the folder this often at most. */
const LOOK_PERIOD_MS = 1_000;

/** The key of a data folder's `identity` folder, if it has one. Throws a TypeError for a file that is no such key. */
function readDevelopmentKey(folder: string): SigningKey | undefined {
  const path = join(folder, KEY_FILE);
  const text = readPrivateFile(path);
  if (text === undefined) return undefined;
  try {
    return signingKeyFromJson(JSON.parse(text));
  } catch {
    throw new TypeError(`${path} is no key; remove it, and belay token makes a new one`);
  }
}

/** The key of the folder; made at first use. */
export function openDevelopmentKey(folder: string, now: Instant): SigningKey {
  const known = readDevelopmentKey(folder);
  if (known) return known;
  const made = makeSigningKey("dev", now);
  if (createPrivateFile(join(folder, KEY_FILE), `${JSON.stringify(signingKeyToJson(made))}\n`)) return made;
  return openDevelopmentKey(folder, now);
}

/** Mints a token for a principal. */
export async function mintDevelopmentToken(
  key: SigningKey,
  principal: Principal,
  times: { now: Instant; lifetimeSeconds: number },
): Promise<string> {
  const iat = Math.floor(times.now / MICROS_PER_SECOND);
  const { id, tenant, scopes, grants } = principal;
  const claims = {
    iss: DEVELOPMENT_ISSUER,
    sub: id,
    tenant,
    ...(scopes !== null && { scope: scopes.join(" ") }),
    ...(grants !== null && { grants }),
    jti: makeId("tok", times.now),
    iat,
    exp: iat + times.lifetimeSeconds,
  };
  return await signToken(claims, key);
}

/** Verifies such tokens. A key that is made while the server runs is found. */
export function developmentTokens(folder: string, clock: Clock): TokenVerifier {
  const keys = developmentKeys(folder);
  return {
    async verify({ text }: UnverifiedToken): Promise<VerifiedToken> {
      const claims = await verifySignature(text, ["ES256"], keys);
      const expiresAt = checkTimes(claims, clock.now());
      return {
        principal: {
          id: nameOfClaims(claims, "sub"),
          tenant: tenantOfClaims(claims, { claim: "tenant" }),
          scopes: claims["scope"] === undefined ? null : scopesOfClaims(claims),
          grants: claims["grants"] === undefined ? null : grantsOfClaims(claims, { claim: "grants" }),
        },
        expiresAt,
        revocableId: null,
      };
    },
  };
}

function developmentKeys(folder: string): KeyLookup {
  let kid: string | undefined;
  let keys: KeyLookup = localKeys([]);
  let lookedMs = Number.NEGATIVE_INFINITY;
  return async (header) => {
    if (header.kid !== kid && monotonicMs() - lookedMs >= LOOK_PERIOD_MS) {
      lookedMs = monotonicMs();
      const key = readDevelopmentKey(folder);
      kid = key?.kid;
      keys = localKeys(key ? [key.publicKey] : []);
    }
    return await keys(header);
  };
}
