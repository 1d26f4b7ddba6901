// Bugs of declared services: which one answers, what is its own, and what its start methods take.
import { byAccess, byRouter, byServer, byStart, byStartRequest, byStore } from "./killers.ts";
import type { Killer, Mutant } from "./run-mutant.ts";

const ROUTER = "src/server/service-router.ts";
const CATALOG = "src/server/service-catalog.ts";
const START_CALL = "src/services/declared/start-call.ts";
const START_SERVICES = "src/services/declared/start-services.ts";
const START_REQUEST = "src/services/native/start-request.ts";

function byCancelSupport(title: string): Killer {
  return { file: "src/services/cancel-support.test.ts", title, says: "AssertionError" };
}

const routing: readonly Mutant[] = [
  {
    name: "a Host with a port names nobody",
    breaks: "R3",
    edits: [{ file: ROUTER, find: '    .replace(/:\\d{1,5}$/, "")\n', replace: "" }],
    killers: [byRouter("go to vault by the authority vault.googleapis.com:443")],
  },
  {
    name: "a name that ends like a service's host is taken for it",
    breaks: "R3",
    edits: [
      {
        file: ROUTER,
        find: "const found = this.#byHost.get(hostOf(authority));",
        replace: "const found = [...this.#byHost].find(([host]) => hostOf(authority).endsWith(host))?.[1];",
      },
    ],
    killers: [byRouter("go to default by the authority avault")],
  },
  {
    name: "without a name the last service answers, not the default one",
    breaks: "R3",
    edits: [{ file: ROUTER, find: "this.#services.toReversed();", replace: "this.#services;" }],
    killers: [byRouter("go to default by the authority localhost")],
  },
  {
    name: "a service's own port follows Host",
    breaks: "R3",
    edits: [{ file: ROUTER, find: "    if (this.#only) return this.#only;\n", replace: "" }],
    killers: [byRouter("a port of its own")],
  },
  {
    name: "a service's own port serves other services' methods on gRPC",
    breaks: "R3",
    edits: [
      {
        file: ROUTER,
        find: "for (const service of this.#only ? [this.#only] : this.#services) {",
        replace: "for (const service of this.#services) {",
      },
    ],
    killers: [byRouter("a port of its own")],
  },
  {
    name: "what the named service lacks is answered by another on gRPC",
    breaks: "R3",
    edits: [
      {
        file: ROUTER,
        find: "return service ? holders.get(service) : unnamed;",
        replace: "return (service && holders.get(service)) ?? unnamed;",
      },
    ],
    killers: [byRouter("a service that is named")],
  },
  {
    name: "the discovery document is the default service's for every Host",
    breaks: "R3",
    edits: [
      {
        file: ROUTER,
        find: "const service = this.named(authority) ?? this.#services[0];",
        replace: "const service = this.#services[0];",
      },
    ],
    killers: [byServer("the discovery document is the named service's")],
  },
  {
    name: "the root of the discovery document has no port",
    breaks: "R3",
    edits: [
      {
        file: "src/services/discovery/discovery-document.ts",
        find: "rootUrl: `${origin}/`,",
        replace: "rootUrl: `http://${new URL(origin).hostname}/`,",
      },
    ],
    killers: [
      {
        file: "src/services/discovery/discovery-document.test.ts",
        title: "the links of the document",
        says: "AssertionError",
      },
    ],
  },
];

const ownership: readonly Mutant[] = [
  {
    name: "two services have the same host",
    breaks: "R3",
    edits: [
      {
        file: "src/services/define-service.ts",
        find: "    if (other === undefined) owners.set(key, owner);\n",
        replace: '    if (other === undefined || what === "host") owners.set(key, owner);\n',
      },
    ],
    killers: [
      {
        file: "src/services/define-service.test.ts",
        title: "two services cannot share",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "every service finds the operations of the default one",
    breaks: "T1",
    edits: [
      {
        file: "src/services/access.ts",
        find: "return { service: context.service, tenant",
        replace: 'return { service: "default", tenant',
      },
    ],
    killers: [byAccess("the key of an operation")],
  },
  {
    name: "what is in memory is found under any service",
    breaks: "T1",
    edits: [
      {
        file: "src/engine/decision.ts",
        find: "const text = `${service}\\n${tenant}\\n${name}`;",
        replace: "const text = `${tenant}\\n${name}`;",
      },
    ],
    killers: [byStore("an operation is found only under its own service and tenant", "AssertionError")],
  },
  {
    name: "what is in the database is found under any service",
    breaks: "T1",
    edits: [
      {
        file: "src/stores/sqlite/statements.ts",
        find: "${storedJoins} WHERE o.service = ? AND o.tenant = ? AND o.name = ?`",
        replace: "${storedJoins} WHERE ? <> '' AND o.tenant = ? AND o.name = ?`",
      },
    ],
    killers: [byStore("an operation is found only under its own service and tenant", "AssertionError")],
  },
  {
    name: "a request id is everybody's",
    breaks: "S4",
    edits: [
      {
        file: "src/stores/sqlite/commit-statements.ts",
        find: "FROM request_keys WHERE service = ? AND tenant = ? AND method = ?",
        replace: "FROM request_keys WHERE ? <> '' AND tenant = ? AND method = ?",
      },
    ],
    killers: [byServer("a request id is of one service")],
  },
  {
    name: "all start methods of a service share their request ids",
    breaks: "S4",
    edits: [{ file: START_CALL, find: "      method: fullName,\n", replace: '      method: "start",\n' }],
    killers: [byStart("the same request_id in two methods")],
  },
  {
    name: "a type that another service claims is started in the default one",
    breaks: "R3",
    edits: [
      {
        file: CATALOG,
        find: "if (other !== id && claimed.has(type)) return false;",
        replace: "if (other === id && claimed.has(type)) return false;",
      },
    ],
    killers: [byServer("a type is started where it is declared")],
  },
  {
    name: "a service starts types that it does not declare",
    breaks: "R3",
    edits: [
      {
        file: CATALOG,
        find: "if (types !== null) return types.includes(type);",
        replace: "if (types?.includes(type)) return true;",
      },
    ],
    killers: [byServer("a type is started where it is declared")],
  },
];

/** Each surface asks for itself. */
const cancelSurfaces: readonly [surface: string, file: string, read: string][] = [
  ["google", "src/services/google/operations-service.ts", "engine.get(cancel.key)"],
  ["yandex", "src/services/yandex/operation-service.ts", "engine.get(key)"],
  ["native", "src/services/native/cancel-operation.ts", "engine.detail(key)"],
];

const cancels: readonly Mutant[] = [
  ...cancelSurfaces.flatMap(([surface, file, read]): Mutant[] => [
    {
      name: `a service that cancels nothing cancels on ${surface}`,
      breaks: "R1",
      edits: [{ file, find: "checkCancellable(declaration);\n", replace: "\n" }],
      killers: [byCancelSupport(`${surface}: a service without Cancel`)],
    },
    {
      name: `a type that its service says cannot be cancelled is cancelled on ${surface}`,
      breaks: "R1",
      edits: [{ file, find: `await checkTypeCancellable(declaration, () => ${read});`, replace: "" }],
      killers: [byCancelSupport(`${surface}: a type that the service declares so`)],
    },
  ]),
  {
    name: "a type that its service says cannot be cancelled starts cancellable",
    breaks: "R1",
    edits: [
      {
        file: START_CALL,
        find: "...(mayCancel ? {} : { cancellable: false }),",
        replace: "...(mayCancel && {}),",
      },
    ],
    killers: [byStart("a type that the service declares uncancellable")],
  },
  {
    name: "a caller may start what its service says cannot be cancelled as cancellable",
    breaks: "R1",
    edits: [
      {
        file: START_REQUEST,
        find: "const cancellable = mayCancel ? request.cancelPolicy?.cancellable : false;",
        replace: "const cancellable = request.cancelPolicy?.cancellable ?? (mayCancel ? undefined : false);",
      },
    ],
    killers: [byStartRequest("what the service says cannot be cancelled")],
  },
];

const starts: readonly Mutant[] = [
  {
    name: "an operation starts under a parent that its service does not have",
    breaks: "R3",
    edits: [
      {
        file: START_REQUEST,
        find: "if (!fitsParents(parent, parents)) {",
        replace: 'if (!fitsParents(parent, ["**"])) {',
      },
    ],
    killers: [byStartRequest("a parent that does not fit the service")],
  },
  {
    name: "a start method takes any request",
    breaks: "R15",
    edits: [{ file: START_CALL, find: "    checkRequest(request);\n", replace: "" }],
    killers: [byStart("every missing field")],
  },
  {
    name: "a start method that nobody serves starts an operation that never runs",
    breaks: "R15",
    edits: [{ file: START_CALL, find: "    checks.served();\n", replace: "" }],
    killers: [byStart("a type that nobody serves")],
  },
  {
    name: "a type's own check of a start is not asked",
    breaks: "R15",
    edits: [{ file: START_CALL, find: "    checks.input(json as JsonObject);\n", replace: "" }],
    killers: [
      {
        file: "src/services/start-check.test.ts",
        title: "the check of a start method gets the JSON that the handler gets",
        says: "strictly deep-equal",
      },
    ],
  },
  {
    name: "validate_only starts",
    breaks: "R16",
    edits: [
      {
        file: START_SERVICES,
        find: "if (isValidateOnly(request)) return validatedOperation(call, start, engine.clock.now());",
        replace:
          "if (isValidateOnly(request)) await startOperation(engine, call);\n      if (isValidateOnly(request)) return validatedOperation(call, start, engine.clock.now());",
      },
    ],
    killers: [byStart("validate_only answers a done operation")],
  },
  {
    name: "validate_only takes an invalid request",
    breaks: "R16",
    edits: [
      {
        file: START_CALL,
        find: "import { requestIdReaderOf } from",
        replace: "import { isValidateOnly, requestIdReaderOf } from",
      },
      {
        file: START_CALL,
        find: "    checkRequest(request);\n",
        replace: "    if (!isValidateOnly(request)) checkRequest(request);\n",
      },
    ],
    killers: [byStart("validate_only of an invalid request")],
  },
  {
    name: "a handler answers any type",
    breaks: "R13",
    edits: [
      {
        file: "src/services/declared/payload-codec.ts",
        find: "encoders.get(`${service}\\n${type}`) ?? structCodec.responseEncoder(service, type),",
        replace: "structCodec.responseEncoder(service, type),",
      },
    ],
    killers: [
      {
        file: "src/services/declared/payload-codec.test.ts",
        title: "an answer becomes a message of the declared response",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "the update time of metadata ticks",
    breaks: "R14",
    edits: [
      {
        file: "src/services/declared/operation-metadata.ts",
        find: "return timeFiller(field, (record) => record.updateTime);",
        replace: "return timeFiller(field, () => Math.floor(performance.now() * 1000));",
      },
    ],
    killers: [
      {
        file: "src/services/declared/operation-metadata.test.ts",
        title: "equal states give equal bytes",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "an operation on a resource starts under the resource",
    breaks: "R3",
    edits: [
      {
        file: "src/services/declared/operation-parent.ts",
        find: "const candidates = isParent ? [resource, ...prefixes] : [...prefixes, resource];",
        replace: "const candidates = [resource, ...prefixes];",
      },
    ],
    killers: [
      {
        file: "src/services/declared/operation-parent.test.ts",
        title: "as a resource",
        says: "AssertionError",
      },
    ],
  },
];

export const serviceMutants: readonly Mutant[] = [...routing, ...ownership, ...cancels, ...starts];
