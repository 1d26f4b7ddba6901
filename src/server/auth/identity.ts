// Who calls: what the server asks, with and without configuration. The configured one (authenticator.ts) brings 3 MB and
// 20 ms with it, so it is loaded by those who use it.
import type { Logger } from "../../base/logger.ts";
import type { SharedFiles } from "../../base/shared-files.ts";
import type { Principal } from "../../services/method.ts";
import type { Dialect } from "../../services/service-declaration.ts";
import type { IamTokens } from "../../services/yandex/iam-token-service.ts";
import type { Authenticator } from "../interceptors/authenticate.ts";
import { anonymous } from "../server-call.ts";
import type { AuthConfig } from "./auth-config.ts";

/** Knows callers by their tokens. */
export interface Identity {
  /** True if callers are asked who they are. */
  readonly isConfigured: boolean;
  /** For createAuthenticate. Without configuration everybody is `anonymous`. */
  readonly authenticate: Authenticator;
  /**
   * For calls outside the pipeline (gRPC streams such as reflection): all values of their authorization header.
   * Throws, or rejects, as `authenticate`.
   */
  authenticateHeader(values: readonly string[], dialect: Dialect): Principal | Promise<Principal>;
  /** For createIamTokenService. */
  readonly iamTokens: IamTokens;
  close(): Promise<void>;
}

export interface IdentityOptions {
  /** The folder `identity` in the data folder, for keys of our own and revoked tokens; null keeps them in memory. */
  folder: string | null;
  /** Where several nodes share a store: keys and revoked tokens are there, and the folder has only what is this machine's. */
  files?: SharedFiles | undefined;
  logger: Logger;
}

/**
 * The identity that `auth` configures. Rejects with a TypeError that names what is wrong; files that it names are read
 * now, so that a wrong one fails at start.
 */
export async function createIdentity(auth: AuthConfig, options: IdentityOptions): Promise<Identity> {
  return makeAuthenticator(auth, options);
}

async function makeAuthenticator(auth: AuthConfig | null, options: IdentityOptions): Promise<Identity> {
  const { createAuthenticator, openSharedIdentity } = await import("./authenticator.ts");
  const { files, logger } = options;
  const shared = files && (await openSharedIdentity(files, logger));
  return createAuthenticator(auth, { ...options, shared });
}

/** A server without identity: everybody is `anonymous`, and IamTokenService, which real clients call first, still answers. */
export function openIdentity(options: IdentityOptions): Identity {
  let made: Promise<Identity> | undefined;
  const tokens = async (): Promise<IamTokens> => {
    made ??= makeAuthenticator(null, options).catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return (await made).iamTokens;
  };
  return {
    isConfigured: false,
    authenticate: () => anonymous,
    authenticateHeader: () => anonymous,
    iamTokens: {
      exchangeOauthToken: async (token) => (await tokens()).exchangeOauthToken(token),
      exchangeJwt: async (jwt) => (await tokens()).exchangeJwt(jwt),
      revoke: async (token) => (await tokens()).revoke(token),
    },
    async close() {
      await (await made?.catch(() => undefined))?.close();
    },
  };
}
