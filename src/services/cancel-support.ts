// What a service says of its cancels, beside what each operation's own policy says: it may support none at all, as Yandex
// Object Storage does, or none of a type. The answer is then the same for every name, or for every operation of the type.
import { RpcError } from "../base/rpc-error.ts";
import type { StoredOperation } from "../engine/operation.ts";
import type { ServiceDeclaration } from "./service-declaration.ts";

/** Throws CANCEL_NOT_SUPPORTED where the service is declared so. */
export function checkCancellable({ id, cancellable }: ServiceDeclaration): void {
  if (!cancellable) throw new RpcError("CANCEL_NOT_SUPPORTED", { service: id });
}

/**
 * Throws OPERATION_NOT_CANCELLABLE for an operation of such a type, whatever was said when it began: a declaration may say
 * it later. A type never changes, so it is read before the cancel, and only where types are declared so.
 */
export async function checkTypeCancellable(
  { uncancellableTypes }: ServiceDeclaration,
  read: () => StoredOperation | Promise<StoredOperation>,
): Promise<void> {
  if (uncancellableTypes.length === 0) return;
  const { name, type } = (await read()).record;
  if (uncancellableTypes.includes(type)) throw new RpcError("OPERATION_NOT_CANCELLABLE", { name, type });
}
