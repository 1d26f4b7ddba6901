// Where google.longrunning.Operations is served on REST: the paths of its own annotations, `:wait`, which has none
// there, and the same under any parent, as services with parents rebind it in their YAML.
import type { HttpRule, HttpRules } from "../http-rule.ts";

/** Parents of one to three pairs, for instance `projects/p/locations/l`. */
const PARENTS: readonly string[] = ["*/*", "*/*/*/*", "*/*/*/*/*/*"];

/** The rules under a prefix such as `/v1`. */
export function httpRules(prefix: string): HttpRules {
  const names = [`{name=operations/**}`, ...PARENTS.map((parent) => `{name=${parent}/operations/*}`)];
  const collections = [`{name=operations}`, ...PARENTS.map((parent) => `{name=${parent}}/operations`)];
  const onNames = (rule: (path: string) => HttpRule): HttpRule[] =>
    names.map((name) => rule(`${prefix}/${name}`));
  return {
    ListOperations: collections.map((collection) => ({ get: `${prefix}/${collection}` })),
    GetOperation: onNames((get) => ({ get })),
    DeleteOperation: onNames((path) => ({ delete: path })),
    CancelOperation: onNames((path) => ({ post: `${path}:cancel`, body: "*" })),
    WaitOperation: onNames((path) => ({ post: `${path}:wait`, body: "*" })),
  };
}
