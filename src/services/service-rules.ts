// What each field of a service's definition may hold. A rule takes anything: definitions also come from plain
// JavaScript and from files. What fits together between fields and between services is define-service.ts's.
import type { DescService, Registry } from "@bufbuild/protobuf";
import {
  type Dialect,
  type MethodKind,
  methodKinds,
  type ServiceDeclaration,
} from "./service-declaration.ts";
import { type ServiceProblem, shown } from "./service-problem.ts";

export const dialects: readonly Dialect[] = ["google", "yandex"];

/** The methods of google.longrunning.Operations, by their kinds. */
export const restMethodKinds: readonly MethodKind[] = ["get", "list", "wait", "cancel", "delete"];

/** Names the problems of a value, with paths from it on; none if it fits. */
type Rule = (value: unknown) => readonly ServiceProblem[];

const fits: readonly ServiceProblem[] = [];

/** A rule for one value: `problem` is undefined if it fits. */
function rule(problem: (value: unknown) => string | undefined): Rule {
  return (value) => {
    const found = problem(value);
    return found === undefined ? fits : [{ path: [], problem: found }];
  };
}

function textOf(pattern: RegExp, what: string, expected: string): Rule {
  return rule((value) =>
    typeof value === "string" && pattern.test(value)
      ? undefined
      : `${shown(value)} is no ${what}; expected ${expected}`,
  );
}

function oneOf(allowed: readonly string[]): Rule {
  return rule((value) =>
    typeof value === "string" && allowed.includes(value)
      ? undefined
      : `${shown(value)} is not one of ${allowed.join(", ")}`,
  );
}

function wholeNumber(min: number, max: number): Rule {
  return rule((value) =>
    Number.isInteger(value) && Number(value) >= min && Number(value) <= max
      ? undefined
      : `${shown(value)} is no whole number ${min}-${max}`,
  );
}

const truth: Rule = rule((value) =>
  typeof value === "boolean" ? undefined : `${shown(value)} is neither true nor false`,
);

function nullable(inner: Rule): Rule {
  return (value) => (value === null ? fits : inner(value));
}

/** A list whose elements fit and differ. `what` names its elements in errors. */
function listOf(inner: Rule, what: string): Rule {
  return (value) => {
    if (!Array.isArray(value)) return [{ path: [], problem: `${shown(value)} is no list of ${what}` }];
    return value.flatMap((element: unknown, index) => {
      const problems = inner(element).map(({ path, problem }) => ({ path: [index, ...path], problem }));
      const isRepeated = problems.length === 0 && value.indexOf(element) < index;
      return isRepeated ? [{ path: [index], problem: `${shown(element)} is given twice` }] : problems;
    });
  };
}

const host: Rule = rule((value) => {
  const labels = typeof value === "string" && value.length <= 253 ? value.split(".") : [];
  const isName =
    labels.length > 0 &&
    labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label)) &&
    !/^[0-9]+$/.test(labels.at(-1) ?? "");
  if (isName) return undefined;
  return `${shown(value)} is no DNS name; expected lower-case labels of a-z, 0-9 and - without a port, such as ops.example.com`;
});

const operationType: Rule = rule((value) => {
  const isType =
    typeof value === "string" && value.length <= 63 && /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$/.test(value);
  if (isType) return undefined;
  return `${shown(value)} is no operation type; expected words of [a-z0-9-] joined by dots, at most 63 characters, such as ocr.recognize`;
});

const parentPattern: Rule = rule((value) => {
  const segments = typeof value === "string" && value !== "" ? value.split("/") : [];
  const isPattern =
    value === "" ||
    value === "**" ||
    ((segments.length === 2 || segments.length === 4 || segments.length === 6) &&
      segments.every((segment, i) =>
        i % 2 === 0
          ? /^[a-zA-Z][a-zA-Z0-9_-]{0,62}$/.test(segment) && segment !== "operations"
          : /^(\*|[a-zA-Z0-9_-][a-zA-Z0-9._~-]{0,62})$/.test(segment),
      ));
  if (isPattern) return undefined;
  return `${shown(value)} is no pattern of parents; expected "" (the root), "**" (any), or one to three pairs such as projects/*/locations/*`;
});

// RFC 6749, section 3.3: a scope is printable ASCII without blank, quote and backslash.
const scope: Rule = textOf(
  /^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/,
  "OAuth scope",
  "visible characters without quotes, such as https://www.googleapis.com/auth/cloud-platform",
);

const scopes: Rule = (value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [{ path: [], problem: `${shown(value)} is no table of scopes by ${methodKinds.join(", ")}` }];
  }
  return Object.entries(value).flatMap(([kind, list]) => {
    if (!methodKinds.some((known) => known === kind)) {
      return [
        { path: [kind], problem: `${shown(kind)} is no kind of method; expected ${methodKinds.join(", ")}` },
      ];
    }
    if (list === undefined) return [];
    return listOf(
      scope,
      "OAuth scopes",
    )(list).map(({ path, problem }) => ({
      path: [kind, ...path],
      problem,
    }));
  });
};

/** Services that every declared service has anyway, or that are the server's own. */
const reserved = /^(google\.longrunning|belay\.v1|grpc|yandex\.cloud\.(operation|endpoint|iam\.v1))\./;

const startService: Rule = rule((value) => {
  const desc = value as Partial<DescService> | null | undefined;
  if (desc?.kind !== "service" || typeof desc.typeName !== "string") {
    return `${typeof value} is no descriptor of a protobuf service; expected one of the generated code or of a buf image`;
  }
  if (reserved.test(desc.typeName))
    return `${desc.typeName} is served by Belay itself; expected an API of yours`;
  return undefined;
});

const startTypes: Rule = (value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [
      { path: [], problem: `${shown(value)} is no table of operation types by the full names of methods` },
    ];
  }
  return Object.entries(value).flatMap(([method, type]) =>
    operationType(type).map(({ problem }) => ({ path: [method], problem })),
  );
};

const registry: Rule = rule((value) =>
  (value as Partial<Registry> | null | undefined)?.kind === "registry"
    ? undefined
    : `${typeof value} is no registry; expected createRegistry(...) of @bufbuild/protobuf`,
);

const link: Rule = rule((value) => {
  if (value === "") return undefined;
  const isLink = typeof value === "string" && /^https?:/.test(value) && URL.canParse(value);
  return isLink ? undefined : `${shown(value)} is no link; expected "" or an http or https URL`;
});

/** The rule of every field of a definition. */
export const serviceRules: Readonly<Record<keyof ServiceDeclaration, Rule>> = {
  id: textOf(/^[a-z][a-z0-9-]{0,30}$/, "service id", "[a-z][a-z0-9-]{0,30}, such as vault"),
  dialect: oneOf(dialects),
  hosts: listOf(host, "DNS names"),
  ports: listOf(wholeNumber(0, 65_535), "ports"),
  idPrefix: textOf(/^[a-z]{3}$/, "id prefix", "three letters a-z, such as opr"),
  restPrefix: textOf(
    /^(?!\/belay(\/|$))(\/[a-zA-Z0-9._~-]{1,63}){0,4}$/,
    "REST prefix",
    '"" or a path such as /v1, without a slash at its end, and not below /belay',
  ),
  parents: listOf(parentPattern, "patterns of parents"),
  restMethods: listOf(oneOf(restMethodKinds), `methods (${restMethodKinds.join(", ")})`),
  scopes,
  metadataType: nullable(
    textOf(
      /^[a-zA-Z_]\w*(\.[a-zA-Z_]\w*)*$/,
      "message",
      "null or a full name such as google.protobuf.Struct",
    ),
  ),
  types: nullable(listOf(operationType, "operation types")),
  cancellable: truth,
  uncancellableTypes: listOf(operationType, "operation types"),
  getCancels: truth,
  pollIntervalSeconds: nullable(wholeNumber(1, 3600)),
  startServices: listOf(startService, "descriptors of protobuf services"),
  startTypes,
  registry,
  title: textOf(/^\P{Cc}{0,200}$/u, "title", "at most 200 characters in one line"),
  documentationLink: link,
  discoveryVersion: nullable(
    textOf(/^v[0-9]+([a-z]+[0-9]+)?$/, "version", "null or a version such as v1, v1beta1"),
  ),
};
