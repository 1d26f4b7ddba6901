// What a caller may reach by name. It is told from the name alone, before anything is read: the answer to a foreign
// name and to an absent one cannot differ (AIP-211, AIP-193).
import { RpcError } from "../base/rpc-error.ts";
import type { OperationKey } from "../engine/operation.ts";
import { listParentOf, operationNameOf } from "../protocol/operation-name.ts";
import type { CallContext, Principal } from "./method.ts";
import { type MethodKind, type ServiceDeclaration, scopesOf } from "./service-declaration.ts";

const ROOT_GRANT = "operations";

/**
 * True if the caller's grants reach an operation name or a parent (`` and `operations` are the root).
 * `projects/p` reaches what is below `projects/p/`, never `projects/p2`.
 */
export function reaches(principal: Principal, resource: string): boolean {
  const { grants } = principal;
  if (grants === null) return true;
  const isRoot = resource === "" || resource === ROOT_GRANT || resource.startsWith(`${ROOT_GRANT}/`);
  if (isRoot) return grants.includes(ROOT_GRANT);
  return grants.some((grant) => resource === grant || resource.startsWith(`${grant}/`));
}

/** What access is told from: a call, or an open stream. */
export type Caller = Pick<CallContext, "principal" | "service" | "parents">;

/** Throws IAM_PERMISSION_DENIED unless the caller's grants reach the resource. It need not be well-formed. */
export function checkReach(context: Pick<Caller, "principal">, kind: MethodKind, resource: string): void {
  if (reaches(context.principal, resource)) return;
  const parameters = { permission: `operations.${kind}`, resource: resource || ROOT_GRANT };
  throw new RpcError("IAM_PERMISSION_DENIED", parameters);
}

/** The key of an operation by the caller's name for it. Permission comes before form: throws IAM_PERMISSION_DENIED, then INVALID_NAME. */
export function operationKeyOf(name: string, kind: MethodKind, context: Caller): OperationKey {
  checkReach(context, kind, name);
  operationNameOf(name, context.parents);
  return { service: context.service, tenant: context.principal.tenant, name };
}

/** The parent that a List, or another call about a collection, names. Throws IAM_PERMISSION_DENIED, then INVALID_NAME. */
export function reachableListParent(name: string, context: Caller, kind: MethodKind = "list"): string {
  checkReach(context, kind, name.replace(/\/operations$/, ""));
  return listParentOf(name, context.parents);
}

/**
 * Throws IAM_PERMISSION_DENIED for a caller whose grants are limited: what is asked for (`workers`, `receipts`) is not
 * below any parent.
 */
export function checkUnlimited(context: Pick<Caller, "principal">, kind: MethodKind, resource: string): void {
  if (context.principal.grants === null) return;
  throw new RpcError("IAM_PERMISSION_DENIED", { permission: `operations.${kind}`, resource });
}

/**
 * Throws FORCE_REFUSED unless the caller may stop work by force, or say that work is gone. A token that is not limited to
 * scopes may; one that is needs a scope of the kind "force". Where a service asks for scopes to cancel and names none for
 * force, no scope opens it: who may only cancel must not get force by an omission in the declaration.
 */
export function checkForce(context: Pick<Caller, "principal">, declaration: ServiceDeclaration): void {
  const { scopes } = context.principal;
  if (scopes === null) return;
  const wanted = scopesOf(declaration, "force");
  const isOpen = wanted.length === 0 && scopesOf(declaration, "cancel").length === 0;
  if (isOpen || wanted.some((scope) => scopes.includes(scope))) return;
  const scopesNamed = wanted.join(", ") || `that service ${declaration.id} declares for it: none`;
  throw new RpcError("FORCE_REFUSED", { scopes: scopesNamed });
}
