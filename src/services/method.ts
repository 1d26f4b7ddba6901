// A service method, free of any transport: the gRPC listener and the REST listener both run these.
import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import type { HttpRules } from "./http-rule.ts";
import type { MethodKind } from "./service-declaration.ts";

/** Who calls. Without configured identity everybody is `anonymous` in the tenant `default`. */
export interface Principal {
  /** For instance `user:ada` or `anonymous`. */
  readonly id: string;
  /** The isolation domain: nothing of another tenant exists for this caller. */
  readonly tenant: string;
  /** The OAuth scopes of the credential; null: it is not limited to scopes. */
  readonly scopes: readonly string[] | null;
  /**
   * The parents whose operations the caller may reach: `operations` for the root, `projects/p` for all below it;
   * null: every parent.
   */
  readonly grants: readonly string[] | null;
  /**
   * The operation types that it may run as a worker (`word.*` for all below a word, `*` for all). A worker reaches
   * nothing but belay.v1.Workers. Null or absent: it is no worker; where nobody is asked who they are, everybody may work.
   */
  readonly workerTypes?: readonly string[] | null;
}

/** One call, whatever brought it. */
export interface CallContext {
  readonly requestId: string;
  readonly principal: Principal;
  /** The service (set of operation types) that the host and path address, for instance `default`. */
  readonly service: string;
  /** Where the operations of that service live (ServiceDeclaration.parents); absent: anywhere. */
  readonly parents?: readonly string[];
  readonly transport: "grpc" | "rest";
  /** The name by which the caller reached the server: the Host header or `:authority`, with its port if it has one. */
  readonly authority: string | undefined;
  /** The caller's deadline on the monotonic clock (monotonicMs), or Infinity. */
  readonly deadlineMs: number;
  /** Calls back once if the caller goes away or the call's deadline passes; not after the call was answered. */
  onCallerGone(callback: () => void): void;
  /** A request header or metadata value, by its lower-case name; undefined when it is absent or not plain text. */
  header(name: string): string | undefined;
  /** Header (REST) or initial metadata (gRPC) of a good answer, lower case. Errors go without it (trailers only). */
  setHeader(name: string, value: string): void;
  /** Header (REST) or trailing metadata (gRPC), lower case. */
  setTrailer(name: string, value: string): void;
}

/**
 * A method and its handler. `invoke` gets the decoded request and answers a `Reply`, which the two encoders turn
 * into wire bytes: most methods use protobuf-es (`messageReply`), the hot ones their own encoders.
 */
export interface ServiceMethod<Request extends Message = Message, Reply = unknown> {
  readonly desc: DescMethod;
  /** What it is for; absent: told by its name (AIP-131 to 136). */
  readonly kind?: MethodKind;
  /** Anybody may call it, without a credential: it hands credentials out, or tells where to get them. */
  readonly isPublic?: boolean;
  /** A probe of the server's health: no limit refuses it, and it is answered while the database is away. */
  readonly isProbe?: boolean;
  invoke(request: Request, context: CallContext): Promise<Reply> | Reply;
  /** The protobuf bytes of the response message. */
  encodeBinary(reply: Reply): Uint8Array;
  /** The ProtoJSON text of the response message. */
  encodeJson(reply: Reply): string;
}

/** A protobuf service with its methods. */
export interface ServiceDefinition {
  readonly desc: DescService;
  readonly methods: readonly ServiceMethod[];
  /** Its REST paths in place of its annotations; absent: the annotations. A method without an entry has none. */
  readonly httpRules?: HttpRules;
}
