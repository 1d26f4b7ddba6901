// Says who calls. Without configured identity everybody is `anonymous` in the tenant `default`, and the guard keeps
// the server to this machine.
import type { Principal } from "../../services/method.ts";
import type { ServerCall } from "../server-call.ts";
import type { Interceptor } from "./interceptor.ts";

/** Answers the caller's principal, or throws; a promise only where a key or a token must be fetched or verified first. */
export type Authenticator = (call: ServerCall) => Principal | Promise<Principal>;

/**
 * Makes the interceptor. Public methods are open to everybody: their caller stays `anonymous`, whatever credential
 * came with the call.
 */
export function createAuthenticate(authenticator: Authenticator): Interceptor {
  return {
    before(call: ServerCall): Promise<void> | undefined {
      if (call.method.service.isPublic) return undefined;
      const principal = authenticator(call);
      if (!(principal instanceof Promise)) {
        call.principal = principal;
        return undefined;
      }
      return principal.then((known) => {
        call.principal = known;
      });
    },
  };
}
