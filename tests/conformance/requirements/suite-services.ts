// What the suite knows of belay.yaml beside it: its services, and its callers with their tokens.
import type { Dialect } from "../../../src/services/service-declaration.ts";

export type ServiceId =
  | "default"
  | "vault"
  | "dai"
  | "automl"
  | "yandex"
  | "shop"
  | "disk"
  | "sealed"
  | "storage";
export type Transport = "grpc" | "rest";

/** The callers of belay.yaml, by their tokens. */
export const tokens = {
  ada: "conformance-all-access",
  /** Of the same tenant. */
  bob: "conformance-colleague",
  /** Of another tenant. */
  eve: "conformance-other-tenant",
  /** Reaches projects/p alone. */
  pat: "conformance-project-p",
  /** Has the scope that reads in Vault. */
  rob: "conformance-vault-reader",
  /** Has no scope at all. */
  nil: "conformance-no-scope",
  /** Has the scope that cancels in the service shop. */
  cam: "conformance-cancel-only",
} as const;
export type Caller = keyof typeof tokens;

/** The dialect of a service. */
export function dialectOf(service: ServiceId): Dialect {
  return service === "yandex" || service === "disk" || service === "storage" ? "yandex" : "google";
}

/** A name for a gate, an id or a label that nothing else in any run has. */
export function freshName(word: string): string {
  return `${word}-${crypto.randomUUID()}`;
}
