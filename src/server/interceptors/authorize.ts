// Asks for the scopes of the method's kind, and keeps workers and callers apart. Grants are about names, so the service
// methods check those (services/access.ts).
import { RpcError } from "../../base/rpc-error.ts";
import { scopesOf } from "../../services/service-declaration.ts";
import type { BoundCallable } from "../bound-method.ts";
import type { ServerCall } from "../server-call.ts";
import type { Interceptor } from "./interceptor.ts";

/**
 * Throws ACCESS_TOKEN_SCOPE_INSUFFICIENT unless the caller has one of the scopes that the service asks for. A
 * credential that is not limited to scopes has them all.
 */
export function checkScopes(
  scopes: readonly string[] | null,
  method: Pick<BoundCallable, "declaration" | "kind" | "fullName">,
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

/**
 * Runs after authenticate, and before anything of the request is decoded: 403 comes before 400 and 404. With configured
 * identity only a worker's credential opens a session (WORK_REFUSED), and it opens nothing else (WORKER_CREDENTIAL);
 * without it everybody on this machine may do both.
 */
export function createAuthorize({ hasIdentity }: { hasIdentity: boolean }): Interceptor {
  return {
    before({ method, principal }: ServerCall): undefined {
      if (method.service.isPublic) return;
      const isWorker = (principal.workerTypes ?? null) !== null;
      if (method.kind === "work") {
        if (hasIdentity && !isWorker) {
          throw new RpcError("WORK_REFUSED", { problem: "its credential is not one of a worker" });
        }
        return;
      }
      if (isWorker) throw new RpcError("WORKER_CREDENTIAL", { method: method.fullName });
      checkScopes(principal.scopes, method);
    },
  };
}
