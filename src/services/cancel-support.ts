// A service may not support Cancel at all, as Yandex Object Storage does: the answer is then the same for every name.
import { RpcError } from "../base/rpc-error.ts";
import type { ServiceDeclaration } from "./service-declaration.ts";

/** Throws CANCEL_NOT_SUPPORTED where the service is declared so. */
export function checkCancellable({ id, cancellable }: ServiceDeclaration): void {
  if (!cancellable) throw new RpcError("CANCEL_NOT_SUPPORTED", { service: id });
}
