// Bugs that somebody could write, one at a time, into what stands before the engine: the door, who may call what, declared
// services and the yandex dialect. The tests that are named for each find it.
import { accessMutants } from "./access-mutants.ts";
import { killAll } from "./kill-all.ts";
import { serviceMutants } from "./service-mutants.ts";
import { tokenMutants } from "./token-mutants.ts";
import { wireMutants } from "./wire-mutants.ts";
import { yandexMutants } from "./yandex-mutants.ts";

const identityMutants = [...accessMutants, ...tokenMutants];

killAll("wire, identity and services", [
  ...wireMutants,
  ...identityMutants,
  ...serviceMutants,
  ...yandexMutants,
]);
