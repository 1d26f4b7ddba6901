// A declared service: a named set of operation types that share a wire dialect, hosts, paths, scopes and policy.
// Plain data; belay.yaml is read into this, the built-in services (src/services/builtin/) are written in it.
import type { DescService, Registry } from "@bufbuild/protobuf";

/** What a call is for. Scopes and limits depend on it. */
export type MethodKind =
  | "get"
  | "list"
  | "wait"
  | "watch"
  | "start"
  | "cancel"
  /** A cancel that uses force at once, and an operator's word that work is gone. */
  | "force"
  | "delete"
  /** Opening a worker's session. Not a matter of scopes, but of the principal's `workerTypes`. */
  | "work";

export const methodKinds: readonly MethodKind[] = [
  "get",
  "list",
  "wait",
  "watch",
  "start",
  "cancel",
  "force",
  "delete",
  "work",
];

/** The wire format of a service's operations. */
export type Dialect = "google" | "yandex";

/** The scopes that open each kind of method: a token needs one of them. An absent or empty list asks for none. */
export type MethodScopes = Readonly<Partial<Record<MethodKind, readonly string[]>>>;

/** What a service serves, where, and to whom. */
export interface ServiceDeclaration {
  /** `[a-z][a-z0-9-]{0,30}`; part of every key, so it never changes. */
  readonly id: string;
  readonly dialect: Dialect;
  /** DNS names, lower case, without a port: a call to one of them is for this service. */
  readonly hosts: readonly string[];
  /** Extra ports on which everything is for this service. */
  readonly ports: readonly number[];
  /** Three letters in front of every id that this service makes. */
  readonly idPrefix: string;
  /** In front of its REST paths: `/v1`, `/v1beta1`, or `` for none. */
  readonly restPrefix: string;
  // Where its operations live: "" is `operations/{id}`; "projects/*/locations/*" is below such a parent; "**" is the
  // root and any parent of up to three pairs.
  readonly parents: readonly string[];
  /** The methods of google.longrunning.Operations that have REST paths here. gRPC serves all of them. */
  readonly restMethods: readonly MethodKind[];
  readonly scopes: MethodScopes;
  /** The full name of the message that its operations' metadata is, or null for none. A start method's own one wins. */
  readonly metadataType: string | null;
  /** The operation types that may be started here; null for all that no other service claims. */
  readonly types: readonly string[] | null;
  /** False: Cancel answers UNIMPLEMENTED for all of its operations. */
  readonly cancellable: boolean;
  /** Operation types whose Cancel alone answers UNIMPLEMENTED. */
  readonly uncancellableTypes: readonly string[];
  /** Yandex: GET `/operations/{id}:cancel` cancels, as their clients expect. POST always does. */
  readonly getCancels: boolean;
  /** Yandex: seconds between polls that Get suggests in `x-operation-poll-interval`; null says nothing. */
  readonly pollIntervalSeconds: number | null;
  /** Protobuf services whose methods with an operation annotation start operations here. */
  readonly startServices: readonly DescService[];
  // The operation types of start methods, by the methods' full names (`vault.v1.VaultService.CountArtifacts`), in place of
  // the service's id and the method's own name (`vault.count-artifacts`).
  readonly startTypes?: Readonly<Record<string, string>>;
  /** Finds the messages that the annotations name, and what an Any of this service may hold. */
  readonly registry: Registry;
  /** Title and link for the discovery document and OpenAPI. */
  readonly title: string;
  readonly documentationLink: string;
  /** Served at `/$discovery/rest?version=...`: the version, for instance `v1`; null serves none. */
  readonly discoveryVersion: string | null;
}

/**
 * The scopes of a method's kind; empty if anybody with an identity may call it. A watch tells what lists and gets tell:
 * where a declaration names no scopes for it, it asks for theirs.
 */
export function scopesOf({ scopes }: ServiceDeclaration, kind: MethodKind): readonly string[] {
  if (kind === "watch") return scopes.watch ?? scopes.list ?? scopes.get ?? [];
  return scopes[kind] ?? [];
}
