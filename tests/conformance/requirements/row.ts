// A row of the suite: one rule on one surface, with what is called, with what, and what must come of it. The title of its
// test begins with the rule.
import type { ServiceId, Transport } from "./suite-services.ts";
import type { Surface } from "./surface.ts";

/** A service on a transport. */
export type Place = readonly [service: ServiceId, transport: Transport];

export interface Case {
  /** The method that is looked at, for instance `Cancel`. */
  readonly method: string;
  readonly input: string;
  readonly expected: string;
  /** Throws where the rule is broken. */
  check(at: Surface): Promise<void>;
  /** Why it takes a server of our own; such a row is skipped, and says so, where the server is another. */
  readonly ownServer?: string;
}

export interface Row extends Case {
  readonly rule: number;
  readonly place: Place;
}

/** Every case on every place. */
export function rows(rule: number, places: readonly Place[], cases: readonly Case[]): Row[] {
  return cases.flatMap((each) => places.map((place) => ({ rule, place, ...each })));
}

export function titleOf({ rule, place, method, input, expected }: Row): string {
  return `R${rule} ${place.join("/")}: ${method}, ${input}: ${expected}`;
}

const on = (transport: Transport, ...services: ServiceId[]): Place[] =>
  services.map((service) => [service, transport]);

/** Where a rule of google.longrunning is looked at. */
export const google: readonly Place[] = [
  ...on("grpc", "default", "vault", "dai", "automl"),
  ...on("rest", "default", "vault", "dai", "automl"),
];
/** Vault and dai have no REST path for Wait. */
export const googleWait: readonly Place[] = [
  ...on("grpc", "default", "vault", "dai", "automl"),
  ...on("rest", "default", "automl"),
];
export const plain: readonly Place[] = [...on("grpc", "default"), ...on("rest", "default")];
export const yandex: readonly Place[] = [...on("grpc", "yandex"), ...on("rest", "yandex")];
export const both: readonly Place[] = [...plain, ...yandex];
export const all: readonly Place[] = [...google, ...yandex];
export const shop: readonly Place[] = [...on("grpc", "shop"), ...on("rest", "shop")];
export const disk: readonly Place[] = [...on("grpc", "disk"), ...on("rest", "disk")];

export const rest = (...services: ServiceId[]): Place[] => on("rest", ...services);
export const grpc = (...services: ServiceId[]): Place[] => on("grpc", ...services);
