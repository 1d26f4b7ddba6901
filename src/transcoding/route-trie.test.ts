import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { splitTarget } from "./path-decoding.ts";
import { parsePathTemplate } from "./path-template.ts";
import { type Route, RouteTrie } from "./route-trie.ts";

type Spec = string | [rule: string, options: Partial<Route<string>>];

/** A trie of rules such as "GET /v1/{name}"; each route's value is its own text. */
function trieOf(...specs: Spec[]): (request: string) => string {
  const trie = new RouteTrie<string>();
  for (const spec of specs) {
    const [rule, options] = typeof spec === "string" ? [spec, {}] : spec;
    const [httpMethod, path] = rule.split(" ") as [string, string];
    trie.add({ httpMethod, template: parsePathTemplate(path), value: rule, ...options });
  }
  return (request) => {
    const [httpMethod, target] = request.split(" ") as [string, string];
    const match = trie.match(httpMethod, splitTarget(target).segments);
    if (match.kind === "not-found") return "not found";
    if (match.kind === "method-not-allowed") return `allowed: ${match.allowed.join(", ")}`;
    return [match.route.value, ...match.captures].join(" | ");
  };
}

const google = trieOf(
  "GET /v1/{name=operations}",
  "GET /v1/{name=operations/**}",
  "DELETE /v1/{name=operations/**}",
  "POST /v1/{name=operations/**}:cancel",
  "POST /v1/operations",
  "GET /v1/{name=projects/*/locations/*}/operations",
);
const requests: readonly [string, string][] = [
  ["GET /v1/operations", "GET /v1/{name=operations} | operations"],
  ["POST /v1/operations", "POST /v1/operations"],
  ["PUT /v1/operations", "allowed: DELETE, GET, POST"],
  ["DELETE /v1/operations", "DELETE /v1/{name=operations/**} | operations"], // ** takes zero segments
  ["GET /v1/operations/x", "GET /v1/{name=operations/**} | operations/x"],
  ["GET /v1/operations/a/b/c", "GET /v1/{name=operations/**} | operations/a/b/c"],
  ["POST /v1/operations/x:cancel", "POST /v1/{name=operations/**}:cancel | operations/x"],
  ["POST /v1/operations/a/b:cancel", "POST /v1/{name=operations/**}:cancel | operations/a/b"],
  ["POST /v1/operations:cancel", "POST /v1/{name=operations/**}:cancel | operations"],
  ["GET /v1/operations/x:cancel", "allowed: POST"],
  ["DELETE /v1/operations/x:cancel", "allowed: POST"], // never an operation named "x:cancel"
  ["POST /v1/operations/x", "allowed: DELETE, GET"],
  ["GET /v1/operations/x:y", "GET /v1/{name=operations/**} | operations/x:y"], // no route has the verb y
  ["GET /v1/operations/x:y:cancel", "allowed: POST"], // the last colon
  ["POST /v1/operations/x:y:cancel", "POST /v1/{name=operations/**}:cancel | operations/x:y"],
  ["POST /v1/operations/x:cancel/y", "allowed: DELETE, GET"], // not in the last segment: no verb
  ["POST /v1/operations/x%3Acancel", "allowed: DELETE, GET"], // an escaped colon makes no verb
  ["GET /v1/operations/x%3Acancel", "GET /v1/{name=operations/**} | operations/x:cancel"],
  ["POST /v1/operations/a%2Fb:cancel", "POST /v1/{name=operations/**}:cancel | operations/a%2Fb"],
  ["GET /v1/operations/c%20d%25%C3%A9", "GET /v1/{name=operations/**} | operations/c d%é"],
  [
    "GET /v1/projects/p/locations/l/operations",
    "GET /v1/{name=projects/*/locations/*}/operations | projects/p/locations/l",
  ],
  ["GET /v1/projects/p/locations/operations", "not found"],
  ["GET /v1", "not found"],
  ["GET /", "not found"],
  ["GET /v2/operations/x", "not found"],
  ["GET /v1/Operations/x", "not found"],
  ["GET /v1/oper%61tions/x", "not found"], // literals are compared escaped
  ["HEAD /v1/operations/x", "allowed: DELETE, GET"],
];
for (const [request, expected] of requests) {
  test(`${request} -> ${expected}`, () => assert.equal(google(request), expected));
}

test("a literal beats *, * beats **, whatever the order they were added in", () => {
  const rules = ["GET /v1/**", "GET /v1/*", "GET /v1/{a=x}", "GET /v1/*/y", "GET /v1/x/**"];
  for (const order of [rules, rules.toReversed()]) {
    const match = trieOf(...order);
    assert.equal(match("GET /v1/x"), "GET /v1/{a=x} | x");
    assert.equal(match("GET /v1/z"), "GET /v1/*");
    assert.equal(match("GET /v1/x/y"), "GET /v1/x/**");
    assert.equal(match("GET /v1/z/y"), "GET /v1/*/y");
    assert.equal(match("GET /v1/z/z"), "GET /v1/**");
    assert.equal(match("GET /v1"), "GET /v1/**");
  }
});

test("a better path without the method does not hide a worse one with it", () => {
  const match = trieOf("POST /v1/x", "GET /v1/*");
  assert.equal(match("GET /v1/x"), "GET /v1/*");
  assert.equal(match("PUT /v1/x"), "allowed: GET, POST");
});

test("among identical templates the last wins, whatever their variables", () => {
  assert.equal(trieOf("GET /v1/{a}", "GET /v1/{b=*}")("GET /v1/x"), "GET /v1/{b=*} | x");
});

test("the method * takes every method that no other rule names", () => {
  const match = trieOf("* /v1/x", "GET /v1/x");
  assert.equal(match("GET /v1/x"), "GET /v1/x");
  assert.equal(match("BREW /v1/x"), "* /v1/x");
});

test("HEAD takes a GET that is safe, and is allowed there", () => {
  const match = trieOf(["GET /v1/x", { safe: true }], "GET /v1/y");
  assert.equal(match("HEAD /v1/x"), "GET /v1/x");
  assert.equal(match("HEAD /v1/y"), "allowed: GET");
  assert.equal(match("PUT /v1/x"), "allowed: GET, HEAD");
});

test("the verbs of other paths are no verbs here", () => {
  const match = trieOf(
    "GET /v1/{name=operations/**}",
    "POST /v1/{name=operations/**}:cancel",
    "POST /b/{id}:wait",
  );
  assert.equal(match("POST /b/x:wait"), "POST /b/{id}:wait | x");
  assert.equal(match("POST /v1/operations/x:wait"), "allowed: GET");
  assert.equal(match("GET /v1/operations/x:wait"), "GET /v1/{name=operations/**} | operations/x:wait");
  assert.equal(match("POST /b/x:cancel"), "not found");
});

test("an escaped verb counts only for routes that say so", () => {
  const match = trieOf(
    "GET /operations/{id}",
    ["GET /operations/{id}:cancel", { encodedVerb: true }],
    "GET /v1/{id}",
    "GET /v1/{id}:cancel",
  );
  assert.equal(match("GET /operations/x:cancel"), "GET /operations/{id}:cancel | x");
  assert.equal(match("GET /operations/x%3Acancel"), "GET /operations/{id}:cancel | x");
  assert.equal(match("GET /operations/x%3acancel"), "GET /operations/{id}:cancel | x");
  assert.equal(match("DELETE /operations/x%3Acancel"), "allowed: GET");
  assert.equal(match("GET /operations/x%3Aother"), "GET /operations/{id} | x:other");
  assert.equal(match("GET /v1/x%3Acancel"), "GET /v1/{id} | x:cancel");
  assert.equal(match("GET /operations/%3Acancel"), "GET /operations/{id} | :cancel");
});

test("what the verb leaves must be a segment", () => {
  for (const target of [
    "/v1/operations/:cancel",
    "/v1/operations/..:cancel",
    "/v1/operations/%2e%2e:cancel",
  ]) {
    assert.throws(() => google(`POST ${target}`), { reason: "INVALID_PATH" }, target);
  }
});

test("variables of one and of several segments, with nothing between", () => {
  const match = trieOf("GET /{a}/{b=x/*}/{c=**}:v");
  assert.equal(match("GET /1%2F2/x/3%2F4/5/6:v"), "GET /{a}/{b=x/*}/{c=**}:v | 1/2 | x/3%2F4 | 5/6");
  assert.equal(match("GET /1/x/2:v"), "GET /{a}/{b=x/*}/{c=**}:v | 1 | x/2 | ");
});

/** The dumb way: every template against the path, ranked segment by segment. */
function dumbMatch(rules: readonly string[], target: string): string | null {
  const segments = target.slice(1).split("/");
  const rank = (segment: string | undefined): string =>
    segment === undefined ? "c" : segment === "**" ? "c" : segment === "*" ? "b" : "a";
  const matching = rules.filter((rule) => {
    const parts = rule.slice(1).split("/");
    const isRest = parts.at(-1) === "**";
    const fixed = isRest ? parts.slice(0, -1) : parts;
    if (isRest ? segments.length < fixed.length : segments.length !== fixed.length) return false;
    return fixed.every((part, i) => part === "*" || part === segments[i]);
  });
  const key = (rule: string): string => {
    const parts = rule.slice(1).split("/");
    const isRest = parts.at(-1) === "**";
    // At the end of the path a rule that ends there beats one whose ** takes nothing.
    return [...segments, "end"]
      .map((_, i) => (isRest && i >= parts.length - 1 ? "c" : i < parts.length ? rank(parts[i]) : "a"))
      .join("");
  };
  return matching.sort((a, b) => (key(a) < key(b) ? -1 : 1))[0] ?? null;
}

test("the trie answers what trying every template answers", () => {
  const segment = fc.constantFrom("a", "b", "*");
  const rule = fc
    .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([segments, isRest]) => `/${segments.join("/")}${isRest ? "/**" : ""}`);
  const path = fc
    .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 5 })
    .map((parts) => `/${parts.join("/")}`);
  fc.assert(
    fc.property(fc.uniqueArray(rule, { maxLength: 12 }), path, (rules, target) => {
      const match = trieOf(...rules.map((one) => `GET ${one}`))(`GET ${target}`);
      const expected = dumbMatch(rules, target);
      assert.equal(match, expected === null ? "not found" : `GET ${expected}`);
    }),
    { numRuns: 3000 },
  );
});

test("a path made to walk every branch takes no longer than the tree is large", () => {
  // 2^12 paths through a and *, all of which fail at the end: each node is still visited once.
  const rules: string[] = [];
  for (let i = 0; i < 2 ** 12; i++) {
    rules.push(
      `GET /${[...i.toString(2).padStart(12, "0")].map((bit) => (bit === "1" ? "a" : "*")).join("/")}/end`,
    );
  }
  const match = trieOf(...rules);
  assert.equal(match(`GET /${"a/".repeat(12)}none`), "not found");
});
