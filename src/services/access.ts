// What a caller may reach by name. It is told from the name alone, before anything is read: the answer to a foreign
// name and to an absent one cannot differ (AIP-211, AIP-193).
import { RpcError } from "../base/rpc-error.ts";
import type { OperationKey } from "../engine/operation.ts";
import { listParentOf, operationNameOf } from "../protocol/operation-name.ts";
import type { CallContext, Principal } from "./method.ts";
import type { MethodKind } from "./service-declaration.ts";

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

/** Throws IAM_PERMISSION_DENIED unless the caller's grants reach the resource. It need not be well-formed. */
export function checkReach(context: CallContext, kind: MethodKind, resource: string): void {
  if (reaches(context.principal, resource)) return;
  const parameters = { permission: `operations.${kind}`, resource: resource || ROOT_GRANT };
  throw new RpcError("IAM_PERMISSION_DENIED", parameters);
}

/** The key of an operation by the caller's name for it. Permission comes before form: throws IAM_PERMISSION_DENIED, then INVALID_NAME. */
export function operationKeyOf(name: string, kind: MethodKind, context: CallContext): OperationKey {
  checkReach(context, kind, name);
  operationNameOf(name, context.parents);
  return { service: context.service, tenant: context.principal.tenant, name };
}

/** The parent that a List names. Throws IAM_PERMISSION_DENIED, then INVALID_NAME. */
export function reachableListParent(name: string, context: CallContext): string {
  checkReach(context, "list", name.replace(/\/operations$/, ""));
  return listParentOf(name, context.parents);
}
