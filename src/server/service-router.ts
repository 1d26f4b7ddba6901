// Which declared service a call is for. On a port of its own a service has everything; on the main port the name in
// Host or `:authority` tells services of the same paths apart (design, section 4). A call to no declared name is for
// the service `default`, and for what only one other service has.

import type { DescService } from "@bufbuild/protobuf";
import type { ServiceDeclaration } from "../services/service-declaration.ts";
import { createTranscoder, type Transcoder } from "../transcoding/transcoder.ts";
import type { BoundCallable, BoundMethod, BoundStream } from "./bound-method.ts";
import { restBindings } from "./rest-routes.ts";

/** A declared service and all that it serves. */
export interface BoundService {
  readonly declaration: ServiceDeclaration;
  readonly methods: readonly BoundMethod[];
  readonly streams: readonly BoundStream[];
}

/** Finds a service's method by the authority of a call; undefined if the service that it names has none. */
export type FindByAuthority<Method extends BoundCallable> = (
  authority: string | undefined,
) => Method | undefined;

export interface ServiceRouterOptions {
  /** The first one is the default. */
  services: readonly BoundService[];
  /** The id of the only service of this port; absent on the main port. */
  only?: string;
}

/** Authorities whose service is remembered; clients send a handful. */
const REMEMBERED_MAX = 256;

export class ServiceRouter {
  readonly #services: readonly BoundService[];
  readonly #only: BoundService | undefined;
  readonly #byHost = new Map<string, BoundService>();
  readonly #remembered = new Map<string, BoundService | undefined>();
  readonly #transcoders = new Map<BoundService | undefined, Transcoder<BoundCallable>>();
  readonly #described = new Map<BoundService | undefined, readonly DescService[]>();

  constructor({ services, only }: ServiceRouterOptions) {
    this.#services = services;
    this.#only = only === undefined ? undefined : services.find(({ declaration }) => declaration.id === only);
    for (const service of services) {
      for (const host of service.declaration.hosts) this.#byHost.set(host, service);
    }
  }

  /** The service that the authority (host with or without a port) names, if it names one. */
  named(authority: string | undefined): BoundService | undefined {
    if (this.#only) return this.#only;
    if (authority === undefined || this.#byHost.size === 0) return undefined;
    if (this.#remembered.has(authority)) return this.#remembered.get(authority);
    const found = this.#byHost.get(hostOf(authority));
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.set(authority, found);
    return found;
  }

  /** The service that the authority names, or else the default one. */
  answering(authority: string | undefined): BoundService {
    const service = this.named(authority) ?? this.#services[0];
    if (!service) throw new TypeError("a server has at least one service");
    return service;
  }

  /** The dialect in which a call is refused that has not reached a method yet. */
  dialectOf(authority: string | undefined): ServiceDeclaration["dialect"] {
    return this.named(authority)?.declaration.dialect ?? "google";
  }

  /** The unary methods that gRPC serves on this port: for each one's full name, what finds it by the authority. */
  grpcMethods(): ReadonlyMap<string, FindByAuthority<BoundMethod>> {
    return this.#findersOf(({ methods }) => methods);
  }

  /** The streaming methods, likewise. */
  grpcStreams(): ReadonlyMap<string, FindByAuthority<BoundStream>> {
    return this.#findersOf(({ streams }) => streams);
  }

  #findersOf<Method extends BoundCallable>(
    callablesOf: (service: BoundService) => readonly Method[],
  ): ReadonlyMap<string, FindByAuthority<Method>> {
    const byName = new Map<string, Map<BoundService, Method>>();
    for (const service of this.#only ? [this.#only] : this.#services) {
      for (const method of callablesOf(service)) {
        const holders = byName.get(method.fullName) ?? new Map<BoundService, Method>();
        holders.set(service, method);
        byName.set(method.fullName, holders);
      }
    }
    const finders = new Map<string, FindByAuthority<Method>>();
    for (const [name, holders] of byName) {
      // Insertion order: the default service's own, else that of the first that has it.
      const [unnamed] = holders.values();
      finders.set(name, (authority) => {
        const service = this.named(authority);
        return service ? holders.get(service) : unnamed;
      });
    }
    return finders;
  }

  /** The REST routes of the service that the authority names; of all services, the default's first, if it names none. */
  transcoder(authority: string | undefined): Transcoder<BoundCallable> {
    const service = this.named(authority);
    let transcoder = this.#transcoders.get(service);
    if (!transcoder) {
      transcoder = createTranscoder(
        this.methodsAt(authority).map((method) => ({
          desc: method.service.desc,
          rules: restBindings(method),
          value: method,
        })),
      );
      this.#transcoders.set(service, transcoder);
    }
    return transcoder;
  }

  /** The protobuf services that are served under an authority; for the same ones always the same array. */
  describedAt(authority: string | undefined): readonly DescService[] {
    const service = this.named(authority);
    let described = this.#described.get(service);
    if (!described) {
      described = descsOf(service ? [service] : this.#services);
      this.#described.set(service, described);
    }
    return described;
  }

  /** What REST serves under an authority. Among equal paths the last one wins, so the default service comes last. */
  methodsAt(authority: string | undefined): readonly BoundCallable[] {
    const service = this.named(authority);
    const services = service ? [service] : this.#services.toReversed();
    return services.flatMap(({ methods, streams }) => [...methods, ...streams]);
  }
}

/** Each once, in the order of the services and of what they serve. */
function descsOf(services: readonly BoundService[]): readonly DescService[] {
  return [
    ...new Set(
      services.flatMap(({ methods, streams }) =>
        [...methods, ...streams].map(({ service }) => service.desc.parent),
      ),
    ),
  ];
}

/** The name in an authority, lower case, without port and final dot. */
function hostOf(authority: string): string {
  return authority
    .toLowerCase()
    .replace(/:\d{1,5}$/, "")
    .replace(/\.$/, "");
}
