// Where google.longrunning.Operations is served on REST: the paths of its own annotations, `:wait`, which has none
// there, and the same under the parents of a service, as services with parents rebind it in their YAML.
import type { HttpRule, HttpRules } from "../http-rule.ts";
import type { MethodKind, ServiceDeclaration } from "../service-declaration.ts";

/** Parents of one to three pairs, for instance `projects/p/locations/l`. */
const ANY_PARENTS: readonly string[] = ["*/*", "*/*/*/*", "*/*/*/*/*/*"];

/** The rules of a service: its prefix, its parents, and the methods that have paths at all. */
export function httpRules({
  restPrefix,
  parents,
  restMethods,
}: Pick<ServiceDeclaration, "restPrefix" | "parents" | "restMethods">): HttpRules {
  const patterns = parents.flatMap((parent) => (parent === "**" ? ["", ...ANY_PARENTS] : [parent]));
  const names = patterns.map((parent) =>
    parent === "" ? "{name=operations/**}" : `{name=${parent}/operations/*}`,
  );
  const collections = patterns.map((parent) =>
    parent === "" ? "{name=operations}" : `{name=${parent}}/operations`,
  );
  const rules = (kind: MethodKind, paths: string[], rule: (path: string) => HttpRule): HttpRule[] =>
    restMethods.includes(kind) ? paths.map((path) => rule(`${restPrefix}/${path}`)) : [];
  return {
    ListOperations: rules("list", collections, (get) => ({ get })),
    GetOperation: rules("get", names, (get) => ({ get })),
    DeleteOperation: rules("delete", names, (path) => ({ delete: path })),
    CancelOperation: rules("cancel", names, (path) => ({ post: `${path}:cancel`, body: "*" })),
    WaitOperation: rules("wait", names, (path) => ({ post: `${path}:wait`, body: "*" })),
  };
}
