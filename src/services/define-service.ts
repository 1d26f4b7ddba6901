// defineService: a service's definition with the defaults of what it leaves out, checked. checkServices: what must hold
// between all services of one server. Both throw before anything is served; the rules of single fields are service-rules.ts's.
import type { DescFile, DescService, Registry } from "@bufbuild/protobuf";
import { baseTypeRegistry, createTypeRegistry } from "../protocol/type-registry.ts";
import { startCallOf } from "./declared/start-call.ts";
import { StartMethodError, startMethodsOf } from "./declared/start-methods.ts";
import type { Dialect, ServiceDeclaration } from "./service-declaration.ts";
import { type ProblemPath, ServiceDeclarationError, type ServiceProblem, shown } from "./service-problem.ts";
import { restMethodKinds, serviceRules } from "./service-rules.ts";

/** A service's definition as people write it: all but the id may be left out. */
export interface ServiceSettings extends Partial<Omit<ServiceDeclaration, "id">> {
  /** `[a-z][a-z0-9-]{0,30}`; part of every key, so it never changes. */
  readonly id: string;
}

/** What is shorter than an id prefix is filled up with this. */
const PREFIX_FILLER = "xxx";

/**
 * Makes a declaration. Left out: dialect google, no hosts and ports, the id's first three letters as id prefix, REST
 * prefix `/v1` (yandex: none), operations at the root only, every REST method that the dialect has, no scopes, any type
 * that no other service claims, cancellable, GET `:cancel` for yandex, no metadata type of its own.
 *
 * Throws a ServiceDeclarationError that names every wrong field by its path, below `at`:
 * `services[1].hosts[0]: "a b" is no DNS name; expected ...`.
 *
 * @example
 * const reports = defineService({ id: "reports", hosts: ["reports.example.com"], types: ["reports.build"] });
 */
export function defineService(settings: ServiceSettings, at: ProblemPath = []): ServiceDeclaration {
  const problems: ServiceProblem[] = [];
  if (typeof settings !== "object" || settings === null) {
    throw new ServiceDeclarationError([{ path: at, problem: `${shown(settings)} is no service definition` }]);
  }
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  for (const [key] of given) {
    if (Object.hasOwn(serviceRules, key)) continue;
    const expected = Object.keys(serviceRules).join(", ");
    problems.push({ path: [key], problem: `is no field of a service; expected ${expected}` });
  }
  const declaration = { ...defaultsOf(settings), ...Object.fromEntries(given) } as ServiceDeclaration;
  for (const [key, rule] of Object.entries(serviceRules)) {
    const found = rule(declaration[key as keyof ServiceDeclaration]);
    problems.push(...found.map(({ path, problem }) => ({ path: [key, ...path], problem })));
  }
  // Fields that are wrong alone say nothing of each other.
  if (problems.length === 0) problems.push(...conflicts(declaration));
  if (problems.length > 0) {
    throw new ServiceDeclarationError(
      problems.map(({ path, problem }) => ({ path: [...at, ...path], problem })),
    );
  }
  return declaration;
}

/** `defineService` for a list; its paths begin with `services[i]`. Checks what holds between them, too. */
export function defineServices(list: readonly ServiceSettings[]): ServiceDeclaration[] {
  const declarations = list.map((settings, index) => defineService(settings, ["services", index]));
  checkServices(declarations);
  return declarations;
}

/** Throws a ServiceDeclarationError unless ids, hosts and ports each belong to one service. */
export function checkServices(services: readonly ServiceDeclaration[]): void {
  const problems: ServiceProblem[] = [];
  const owners = new Map<string, string>();
  const claim = (what: string, value: string | number, path: ProblemPath, owner: string): void => {
    const key = `${what} ${value}`;
    const other = owners.get(key);
    if (other === undefined) owners.set(key, owner);
    else problems.push({ path, problem: `${what} ${value} is taken by service ${other}; expected another` });
  };
  for (const [index, { id, hosts, ports }] of services.entries()) {
    claim("id", id, ["services", index, "id"], id);
    for (const [i, host] of hosts.entries()) claim("host", host, ["services", index, "hosts", i], id);
    for (const [i, port] of ports.entries()) {
      // 0 is any free one.
      if (port !== 0) claim("port", port, ["services", index, "ports", i], id);
    }
  }
  if (problems.length > 0) throw new ServiceDeclarationError(problems);
}

/**
 * Throws a ServiceDeclarationError for a service whose operations nobody could reach: not the first one, without a host
 * and a port, and with REST paths that are all those of a service before it. `isReached` says which ids have a port
 * that their declaration does not tell.
 */
export function checkReachable(
  services: readonly ServiceDeclaration[],
  isReached: (id: string) => boolean = () => false,
): void {
  const problems = services.flatMap(({ id, hosts, ports, restPrefix, restMethods, parents }, index) => {
    if (index === 0 || hosts.length > 0 || ports.length > 0 || isReached(id)) return [];
    const path = ["services", index];
    const expected = "expected hosts, ports, or a restPrefix that no other service has";
    if (restMethods.length === 0) {
      return [{ path, problem: `nobody could reach service ${id}: it has no REST paths; ${expected}` }];
    }
    const other = services.slice(0, index).find((before) => {
      const covers = (parent: string): boolean =>
        before.parents.includes("**") || before.parents.includes(parent);
      return before.restPrefix === restPrefix && parents.every(covers);
    });
    if (other === undefined) return [];
    const problem = `nobody could reach service ${id}: its paths below ${restPrefix || "/"} are those of service ${other.id}; ${expected}`;
    return [{ path, problem }];
  });
  if (problems.length > 0) throw new ServiceDeclarationError(problems);
}

function defaultsOf(settings: ServiceSettings): Omit<ServiceDeclaration, "id"> {
  const dialect: Dialect = settings.dialect ?? "google";
  const isYandex = dialect === "yandex";
  const id = String(settings.id);
  return {
    dialect,
    hosts: [],
    ports: [],
    idPrefix: (id.replace(/[^a-z]/g, "") + PREFIX_FILLER).slice(0, 3),
    restPrefix: isYandex ? "" : "/v1",
    parents: [""],
    restMethods: isYandex ? ["get", "cancel"] : restMethodKinds,
    scopes: {},
    metadataType: null,
    types: null,
    cancellable: true,
    uncancellableTypes: [],
    getCancels: isYandex,
    pollIntervalSeconds: null,
    startServices: [],
    startTypes: {},
    registry: registryOf(settings.startServices),
    title: id,
    documentationLink: "",
    discoveryVersion: null,
  };
}

/** All types of the files that the services are declared in, and of what these import. */
function registryOf(services: readonly DescService[] | undefined): Registry {
  const files = new Set<DescFile>();
  const add = (file: DescFile | undefined): void => {
    if (file === undefined || files.has(file)) return;
    files.add(file);
    for (const dependency of file.dependencies) add(dependency);
  };
  if (Array.isArray(services)) for (const service of services) add(service?.file);
  return files.size === 0 ? baseTypeRegistry : createTypeRegistry(...files);
}

/** What does not fit together within one service. */
function conflicts(declaration: ServiceDeclaration): ServiceProblem[] {
  const { dialect, parents, restMethods, metadataType, registry } = declaration;
  const problems: ServiceProblem[] = [];
  const refuse = (path: ProblemPath, problem: string): void => void problems.push({ path, problem });
  if (parents.length === 0) refuse(["parents"], 'is empty; expected at least "" (the root)');
  if (parents.includes("**") && parents.length > 1)
    refuse(["parents"], '"**" takes any parent and stands alone');
  if (metadataType !== null && registry.getMessage(metadataType) === undefined) {
    const isDescribed = declaration.registry !== baseTypeRegistry;
    const where = isDescribed
      ? "is not in the service's descriptors"
      : "is no message that is known, for the service has no descriptors; expected them, too";
    refuse(["metadataType"], `${shown(metadataType)} ${where}`);
  }
  problems.push(...problemsOfStartMethods(declaration));
  if (dialect === "yandex") {
    if (parents.some((parent) => parent !== "")) {
      refuse(["parents"], 'the dialect yandex has ids without a parent; expected [""]');
    }
    const other = restMethods.findIndex((kind) => kind !== "get" && kind !== "cancel");
    if (other >= 0) refuse(["restMethods", other], "the dialect yandex has only get and cancel");
    if (declaration.discoveryVersion !== null) {
      refuse(["discoveryVersion"], "the dialect yandex has no discovery document; expected null");
    }
  } else {
    if (declaration.getCancels) refuse(["getCancels"], "only the dialect yandex cancels by GET");
    if (declaration.pollIntervalSeconds !== null) {
      refuse(["pollIntervalSeconds"], "only the dialect yandex suggests an interval; expected null");
    }
  }
  return problems;
}

/** What keeps the annotated methods of the start services from starting operations here. */
function problemsOfStartMethods(declaration: ServiceDeclaration): ServiceProblem[] {
  const path: ProblemPath = ["startServices"];
  const names = declaration.startServices.map(({ typeName }) => typeName);
  const repeated = names.find((name, index) => names.indexOf(name) < index);
  if (repeated !== undefined) return [{ path, problem: `${repeated} is given twice` }];
  try {
    const methods = startMethodsOf(declaration);
    const idle = names.find((name) => !methods.some(({ desc }) => desc.parent.typeName === name));
    if (idle !== undefined) {
      const problem = `${idle} has no method with an operation annotation; expected at least one`;
      return [{ path, problem }];
    }
    // What is wrong with how their calls are read is found here, where it has a place, and not when a server is made.
    for (const method of methods) startCallOf(method, declaration, new Set());
    return [];
  } catch (error) {
    if (error instanceof StartMethodError) return [{ path: error.path, problem: error.message }];
    throw error;
  }
}
