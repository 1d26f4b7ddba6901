// defineService: a service's definition with the defaults of what it leaves out, checked. checkServices: what must hold
// between all services of one server. Both throw before anything is served; the rules of single fields are service-rules.ts's.
import type { DescFile, DescService, Registry } from "@bufbuild/protobuf";
import { baseTypeRegistry, createTypeRegistry } from "../protocol/type-registry.ts";
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
    refuse(["metadataType"], `${shown(metadataType)} is not in the service's descriptors`);
  }
  const startProblem = problemOfStartMethods(declaration);
  if (startProblem !== undefined) refuse(["startServices"], startProblem);
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
function problemOfStartMethods(declaration: ServiceDeclaration): string | undefined {
  const names = declaration.startServices.map(({ typeName }) => typeName);
  const repeated = names.find((name, index) => names.indexOf(name) < index);
  if (repeated !== undefined) return `${repeated} is given twice`;
  try {
    const methods = startMethodsOf(declaration);
    const idle = names.find((name) => !methods.some(({ desc }) => desc.parent.typeName === name));
    return idle && `${idle} has no method with an operation annotation; expected at least one`;
  } catch (error) {
    if (error instanceof StartMethodError) return error.message;
    throw error;
  }
}
