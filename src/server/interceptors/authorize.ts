// Asks for the scopes of the method's kind. Grants are about names, so the service methods check those (services/access.ts).
import { RpcError } from "../../base/rpc-error.ts";
import { scopesOf } from "../../services/service-declaration.ts";
import type { BoundMethod } from "../bound-method.ts";
import type { ServerCall } from "../server-call.ts";
import type { Interceptor } from "./interceptor.ts";

/**
 * Throws ACCESS_TOKEN_SCOPE_INSUFFICIENT unless the caller has one of the scopes that the service asks for. A
 * credential that is not limited to scopes has them all.
 */
export function checkScopes(
  scopes: readonly string[] | null,
  method: Pick<BoundMethod, "declaration" | "kind" | "fullName">,
): void {
  if (scopes === null) return;
  const wanted = scopesOf(method.declaration, method.kind);
  if (wanted.length === 0 || wanted.some((scope) => scopes.includes(scope))) return;
  throw new RpcError("ACCESS_TOKEN_SCOPE_INSUFFICIENT", {
    method: method.fullName,
    scopes: wanted.join(", "),
    service: method.declaration.id,
  });
}

/** Runs after authenticate, and before anything of the request is decoded: 403 comes before 400 and 404. */
export const authorize: Interceptor = {
  before(call: ServerCall): undefined {
    const { method } = call;
    if (!method.service.isPublic) checkScopes(call.principal.scopes, method);
  },
};
