// The services of belay.yaml: entries with the id of a built-in service add to it, others are services of their own.
// Problems keep the paths of the file, although what is checked is the whole service.

import type { DescService } from "@bufbuild/protobuf";
import { operationAnnotationOf } from "../../protocol/operation-annotation.ts";
import { createTypeRegistry } from "../../protocol/type-registry.ts";
import { DescriptorImageError, readDescriptorImage } from "../../services/declared/descriptor-image.ts";
import {
  checkReachable,
  checkServices,
  defineService,
  type ServiceSettings,
} from "../../services/define-service.ts";
import type { ServiceDeclaration } from "../../services/service-declaration.ts";
import { type ProblemPath, ServiceDeclarationError } from "../../services/service-problem.ts";
import type { ConfigProblem } from "./config-error.ts";
import type { ServiceEntry } from "./service-schema.ts";

/** A list of services, or what is wrong with the entries. */
export type ConfiguredServices =
  | { readonly services: readonly ServiceDeclaration[] }
  | { readonly problems: readonly ConfigProblem[] };

/**
 * `port` is the server's own, `withPorts` the ids that the command line gives ports to, null if that is not asked. Entries come after the built-in
 * services that they do not extend.
 */
export function configuredServices(
  entries: readonly ServiceEntry[],
  builtins: readonly ServiceDeclaration[],
  { port, withPorts }: { port: number | undefined; withPorts: readonly string[] | null },
): ConfiguredServices {
  const problems: ConfigProblem[] = [];
  const own = entries.map((entry, index) => {
    const base = builtins.find(({ id }) => id === entry.id);
    try {
      return defineService(settingsOf(entry, base), ["services", index]);
    } catch (error) {
      problems.push(...problemsOf(error, entries, builtins, index));
      return undefined;
    }
  });
  for (const [index, { ports = [] }] of entries.entries()) {
    const at = ports.findIndex((own) => own !== 0 && own === port);
    if (at < 0) continue;
    const problem = `port ${port} is the server's own; expected another`;
    problems.push({ path: ["services", index, "ports", at], problem });
  }
  if (problems.length > 0) return { problems };
  const defined = own.filter((service) => service !== undefined);
  const untouched = builtins.filter(({ id }) => !entries.some((entry) => entry.id === id));
  try {
    // The entries last: what overlaps is then told of them.
    checkServices([...untouched, ...defined]);
  } catch (error) {
    return { problems: problemsOf(error, entries, builtins, -untouched.length) };
  }
  const extended = builtins.map(({ id }, i) => defined.find((service) => service.id === id) ?? builtins[i]);
  const added = defined.filter(({ id }) => !builtins.some((builtin) => builtin.id === id));
  const services = [...extended.filter((service) => service !== undefined), ...added];
  try {
    checkReachable(services, (id) => withPorts === null || withPorts.includes(id));
  } catch (error) {
    if (!(error instanceof ServiceDeclarationError)) throw error;
    return {
      problems: error.problems.map(({ path: [, index], problem }) => {
        const { id } = services[Number(index)] ?? {};
        return { path: ["services", entries.findIndex((entry) => entry.id === id)], problem };
      }),
    };
  }
  return { services };
}

/** Lists of places are added to; everything else takes the place of what the built-in service has. */
function settingsOf(entry: ServiceEntry, base: ServiceDeclaration | undefined): ServiceSettings {
  const { descriptors, startServices: names, ...fields } = entry;
  const dialect = entry.dialect ?? base?.dialect ?? "google";
  if (entry.getCancels !== undefined && dialect === "google") {
    throw new EntryError("getCancels", "only the dialect yandex cancels by GET; expected no getCancels");
  }
  const settings = {
    ...base,
    ...fields,
    hosts: [...(base?.hosts ?? []), ...(entry.hosts ?? [])],
    ports: [...(base?.ports ?? []), ...(entry.ports ?? [])],
  };
  if (descriptors === undefined) {
    if (names === undefined) return settings;
    throw new EntryError("startServices", "needs descriptors; expected the file that has these services");
  }
  const image = readDescriptorImage(descriptors);
  const found =
    names === undefined ? image.services.filter(startsOperations) : names.map(named(image.services));
  return {
    ...settings,
    startServices: [...(base?.startServices ?? []), ...found],
    registry: base ? createTypeRegistry(base.registry, image.registry) : image.registry,
  };
}

function startsOperations({ methods }: DescService): boolean {
  return methods.some((method) => operationAnnotationOf(method) !== null);
}

function named(services: readonly DescService[]): (name: string, index: number) => DescService {
  return (name, index) => {
    const found = services.find(({ typeName }) => typeName === name);
    if (found) return found;
    const known = services.map(({ typeName }) => typeName).join(", ") || "none";
    throw new EntryError(
      ["startServices", index],
      `${JSON.stringify(name)} is not in the descriptors; they have ${known}`,
    );
  };
}

/** A problem of an entry that only the file can have. */
class EntryError extends Error {
  readonly path: ProblemPath;

  constructor(path: string | ProblemPath, problem: string) {
    super(problem);
    this.path = typeof path === "string" ? [path] : path;
  }
}

/**
 * What was thrown, as problems of the file. Indexes of services are shifted by a negative `index`; those of places skip
 * what the built-in service has.
 */
function problemsOf(
  error: unknown,
  entries: readonly ServiceEntry[],
  builtins: readonly ServiceDeclaration[],
  index: number,
): ConfigProblem[] {
  if (error instanceof EntryError)
    return [{ path: ["services", index, ...error.path], problem: error.message }];
  if (error instanceof DescriptorImageError) {
    return [{ path: ["services", index, "descriptors"], problem: error.message }];
  }
  if (!(error instanceof ServiceDeclarationError)) throw error;
  return error.problems.map(({ path: [root = "services", at, field, place, ...rest], problem }) => {
    const service = Number(at) + Math.min(0, index);
    const base = builtins.find(({ id }) => id === entries[service]?.id);
    const isPlace = (field === "hosts" || field === "ports") && typeof place === "number";
    const skipped = isPlace && base ? base[field].length : 0;
    const steps = [field, typeof place === "number" ? Math.max(0, place - skipped) : place, ...rest];
    return { path: [root, service, ...steps.filter((step) => step !== undefined)], problem };
  });
}
