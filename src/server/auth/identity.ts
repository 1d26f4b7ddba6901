// Who calls: what the server asks, with and without configuration. The configured one (authenticator.ts) brings 3 MB and
// 20 ms with it, so it is loaded by those who use it.
import type { Logger } from "../../base/logger.ts";
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
  logger: Logger;
}

/**
 * The identity that `auth` configures. Rejects with a TypeError that names what is wrong; files that it names are read
 * now, so that a wrong one fails at start.
 */
export async function createIdentity(auth: AuthConfig, options: IdentityOptions): Promise<Identity> {
  const { createAuthenticator } = await import("./authenticator.ts");
  return createAuthenticator(auth, options);
}

/** A server without identity: everybody is `anonymous`, and IamTokenService, which real clients call first, still answers. */
export function openIdentity(options: IdentityOptions): Identity {
  let made: Promise<Identity> | undefined;
  const tokens = async (): Promise<IamTokens> => {
    made ??= import("./authenticator.ts").then(({ createAuthenticator }) =>
      createAuthenticator(null, options),
    );
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
      await (await made)?.close();
    },
  };
}
