// Bugs of who may do what: scopes, grants, tenants, and the order in which they are asked for.
import { byAccess, byAuthenticator, byServer, byStart, byStartRequest, byWire } from "./killers.ts";
import type { Mutant } from "./run-mutant.ts";

const ACCESS = "src/services/access.ts";
const AUTHORIZE = "src/server/interceptors/authorize.ts";
const CLAIMS = "src/server/auth/token-claims.ts";
const REST_CALL = "src/server/rest-call.ts";
const SERVER = "src/server/server.ts";
const START_CALL = "src/services/declared/start-call.ts";
const START_REQUEST = "src/services/native/start-request.ts";

const scopes: readonly Mutant[] = [
  {
    name: "nobody asks for scopes",
    breaks: "T2",
    edits: [
      {
        file: SERVER,
        find: "    createAuthorize({ hasIdentity: identity.isConfigured }),\n    deadline,",
        replace: "    deadline,",
      },
    ],
    killers: [byServer("a cancel that cannot be read, by a reader")],
  },
  {
    name: "any scope of the service is enough",
    breaks: "T2",
    edits: [
      {
        file: AUTHORIZE,
        find: "wanted.some((scope) => scopes.includes(scope))",
        replace: "scopes.some((scope) => Object.values(method.declaration.scopes).flat().includes(scope))",
      },
    ],
    killers: [
      { file: "src/server/interceptors/authorize.test.ts", title: "a missing scope", says: "AssertionError" },
    ],
  },
  {
    name: "a token without scopes has them all",
    breaks: "T2",
    edits: [
      {
        file: AUTHORIZE,
        find: "if (scopes === null) return;",
        replace: "if (scopes === null || scopes.length === 0) return;",
      },
    ],
    killers: [
      { file: "src/server/interceptors/authorize.test.ts", title: "a missing scope", says: "AssertionError" },
    ],
  },
  {
    name: "a read-only scope opens vault's cancel",
    breaks: "T2",
    edits: [
      { file: "src/services/builtin/vault.ts", find: "cancel: [WRITE],", replace: "cancel: [WRITE, READ]," },
    ],
    killers: [byWire("a reader's cancel")],
  },
  {
    name: "a cancel is taken for a read",
    breaks: "T2",
    edits: [
      {
        file: "src/server/bound-method.ts",
        find: '  if (rpcName.startsWith("Cancel")) return "cancel";\n',
        replace: "",
      },
    ],
    killers: [
      { file: "src/server/bound-method.test.ts", title: "Cancel is a cancel", says: "AssertionError" },
    ],
  },
  {
    name: "a method that asks who calls becomes public",
    breaks: "T2",
    edits: [
      {
        file: "src/services/yandex/operation-service.ts",
        find: "    desc: OperationService.method.cancel,\n",
        replace: "    desc: OperationService.method.cancel,\n    isPublic: true,\n",
      },
    ],
    killers: [byServer("anybody may call what hands out")],
  },
  {
    name: "streams are open to everybody",
    breaks: "T26",
    edits: [
      {
        file: "src/server/interceptors/authenticate.ts",
        find: "if (call.method.service.isPublic) return undefined;",
        replace: 'if (call.method.service.isPublic || "open" in call.method.service) return undefined;',
      },
    ],
    killers: [byServer("a stream asks who calls")],
  },
];

const grants: readonly Mutant[] = [
  {
    name: "grants are ignored",
    breaks: "R33",
    edits: [
      {
        file: ACCESS,
        find: "if (reaches(context.principal, resource)) return;",
        replace: "if (kind) return;",
      },
    ],
    killers: [byAccess("permission comes before form")],
  },
  {
    name: "the grant projects/p reaches projects/p2",
    breaks: "R33",
    edits: [
      { file: ACCESS, find: "resource.startsWith(`${grant}/`)", replace: "resource.startsWith(grant)" },
    ],
    killers: [byAccess("does not reach")],
  },
  {
    name: "every grant reaches the root",
    breaks: "R33",
    edits: [
      {
        file: ACCESS,
        find: "if (isRoot) return grants.includes(ROOT_GRANT);",
        replace: "if (isRoot) return grants.length > 0;",
      },
    ],
    killers: [byAccess("does not reach")],
  },
  {
    name: "the grant of the root reaches every parent",
    breaks: "R33",
    edits: [
      {
        file: ACCESS,
        find: "if (isRoot) return grants.includes(ROOT_GRANT);",
        replace: "if (isRoot || grants.includes(ROOT_GRANT)) return grants.includes(ROOT_GRANT);",
      },
    ],
    killers: [byAccess("does not reach")],
  },
  {
    name: "a List needs no grant",
    breaks: "R33",
    edits: [
      {
        file: ACCESS,
        find: '  checkReach(context, kind, name.replace(/\\/operations$/, ""));\n',
        replace: "",
      },
    ],
    killers: [byAccess("a parent may be named")],
  },
  {
    name: "the tenant is what the caller says",
    breaks: "T1",
    edits: [
      {
        file: ACCESS,
        find: "tenant: context.principal.tenant, name };",
        replace: 'tenant: context.header("x-tenant") ?? context.principal.tenant, name };',
      },
    ],
    killers: [byAccess("the key of an operation")],
  },
  {
    name: "a list is of one tenant, whoever asks",
    breaks: "T1",
    edits: [
      {
        file: "src/services/google/operations-service.ts",
        find: "tenant: context.principal.tenant,\n        parent,",
        replace: 'tenant: "acme",\n        parent,',
      },
    ],
    killers: [byServer("another tenant sees")],
  },
  {
    name: "a start is in the tenant default, whoever starts",
    breaks: "T1",
    edits: [
      { file: START_REQUEST, find: "tenant: context.principal.tenant,", replace: 'tenant: "default",' },
    ],
    killers: [byStartRequest("the request carries who asks")],
  },
  {
    name: "a token without the claim of its tenant is in the default one",
    breaks: "T1",
    edits: [
      {
        file: CLAIMS,
        find: "if (value === undefined) throw refusedToken(`it has no ${tenant.claim} claim`);",
        replace: 'if (value === undefined) return "default";',
      },
    ],
    killers: [byAuthenticator("tenant, grants and name may come from claims")],
  },
  {
    name: "a token without the claim of its grants has them all",
    breaks: "R33",
    edits: [
      {
        file: CLAIMS,
        find: "  const values = wordsOf(claims[grants.claim] ?? []);\n",
        replace:
          "  if (claims[grants.claim] === undefined) return null;\n  const values = wordsOf(claims[grants.claim] ?? []);\n",
      },
    ],
    killers: [byAuthenticator("tenant, grants and name may come from claims")],
  },
  {
    name: "anybody starts under any parent by a start method",
    breaks: "R33",
    edits: [
      { file: START_CALL, find: '    checkReach(context, "start", parent ?? resource);\n', replace: "" },
    ],
    killers: [byStart("and another parent is refused")],
  },
  {
    name: "ListOperations of a resource needs no grant",
    breaks: "R33",
    edits: [
      {
        file: "src/services/declared/list-operations.ts",
        find: '      checkReach(context, "list", "");\n',
        replace: "",
      },
    ],
    killers: [byStart("the root's list without a grant for it")],
  },
];

const order: readonly Mutant[] = [
  {
    name: "scopes are asked for before anybody is known",
    breaks: "R32",
    edits: [
      {
        file: SERVER,
        find: "    createAuthenticate(identity.authenticate),\n    createAuthorize({ hasIdentity: identity.isConfigured }),\n",
        replace:
          "    createAuthorize({ hasIdentity: identity.isConfigured }),\n    createAuthenticate(identity.authenticate),\n",
      },
    ],
    killers: [byServer("a cancel that cannot be read, by a reader")],
  },
  {
    name: "a name is checked before the permission for it",
    breaks: "R32",
    edits: [
      {
        file: ACCESS,
        find: "  checkReach(context, kind, name);\n  operationNameOf(name, context.parents);\n",
        replace: "  operationNameOf(name, context.parents);\n  checkReach(context, kind, name);\n",
      },
    ],
    killers: [byAccess("permission comes before form")],
  },
  {
    name: "the body is read before the permission is asked for",
    breaks: "R32",
    edits: [
      { file: REST_CALL, find: "    checkMatchReach(this, match);\n", replace: "" },
      {
        file: REST_CALL,
        find: "    this.#system = transcoded.system;\n",
        replace: "    this.#system = transcoded.system;\n    checkMatchReach(this, match);\n",
      },
    ],
    killers: [byServer("a caller without a grant is told so before the body is read")],
  },
  {
    name: "a start method is checked before the permission to start",
    breaks: "R32",
    edits: [
      {
        file: START_CALL,
        find: "    const { parent, problem } = readParent(request, context);\n    checks.served();\n    checkRequest(request);\n",
        replace:
          "    checks.served();\n    checkRequest(request);\n    const { parent, problem } = readParent(request, context);\n",
      },
    ],
    killers: [
      {
        file: "src/services/declared/start-services.test.ts",
        title: "an invalid request: permission comes first",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a start is checked before the permission to start",
    breaks: "R32",
    edits: [
      {
        file: START_REQUEST,
        find: '  checkReach(context, "start", parent);\n  checkType(type);\n',
        replace: '  checkType(type);\n  checkReach(context, "start", parent);\n',
      },
    ],
    killers: [byStartRequest("a caller who may not start under the parent")],
  },
];

export const accessMutants: readonly Mutant[] = [...scopes, ...grants, ...order];
