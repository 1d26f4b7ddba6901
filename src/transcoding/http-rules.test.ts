import assert from "node:assert/strict";
import { test } from "node:test";
import { Operations as NativeOperations, OperationStarter } from "../protocol/gen/belay/v1/operations_pb.ts";
import { Operations } from "../protocol/gen/google/longrunning/operations_pb.ts";
import { Broken, libraryMethod } from "../protocol/library-service.fixture.ts";
import {
  annotatedBindings,
  declaredBindings,
  type HttpBinding,
  type HttpRuleDeclaration,
  HttpRuleError,
} from "./http-rules.ts";
import { printPathTemplate } from "./path-template.ts";

function shown({ httpMethod, template, body, variables, responseField }: HttpBinding): string {
  const text = `${httpMethod} ${printPathTemplate(template)}`;
  const from = body.kind === "field" ? `body ${body.field.name}` : body.kind === "all" ? "body *" : "query";
  const bound = variables.map((variable) => variable.text).join(",");
  return [text, bound, from, ...(responseField ? [`answers ${responseField.name}`] : [])].join("; ");
}

test("google.longrunning.Operations is annotated, but for WaitOperation", () => {
  assert.deepEqual(
    Object.fromEntries(Operations.methods.map((m) => [m.name, annotatedBindings(m).map(shown)])),
    {
      ListOperations: ["GET /v1/{name=operations}; name; query"],
      GetOperation: ["GET /v1/{name=operations/**}; name; query"],
      DeleteOperation: ["DELETE /v1/{name=operations/**}; name; query"],
      CancelOperation: ["POST /v1/{name=operations/**}:cancel; name; body *"],
      WaitOperation: [],
    },
  );
});

test("every method of belay.v1 binds to its request", () => {
  for (const method of [...NativeOperations.methods, ...OperationStarter.methods]) {
    assert.ok(annotatedBindings(method).length > 0, method.name);
  }
  assert.equal(annotatedBindings(NativeOperations.method.getOperation).length, 4);
});

test("additional bindings, nested variables, a body field and response_body", () => {
  assert.deepEqual(annotatedBindings(libraryMethod("update")).map(shown), [
    "PATCH /v1/{inner.name=things/*}; inner.name; body inner; answers inner",
    "PUT /v1/{text}/words; text; body words",
  ]);
});

test("a service declares rules of its own, as its YAML would", () => {
  const rules = [
    { post: "/v1/{name=operations/**}:wait", body: "*" },
    { custom: { kind: "*", path: "/v1/{name}" } },
  ];
  assert.deepEqual(declaredBindings(Operations.method.waitOperation, rules).map(shown), [
    "POST /v1/{name=operations/**}:wait; name; body *",
    "* /v1/{name}; name; query",
  ]);
});

test("a GET is safe if its method has no side effects, or the service says so", () => {
  const safe = (binding: HttpBinding | undefined): boolean | undefined => binding?.safe;
  assert.equal(safe(annotatedBindings(libraryMethod("search"))[0]), true);
  assert.equal(safe(annotatedBindings(libraryMethod("search"), { safe: false })[0]), false);
  assert.equal(safe(annotatedBindings(Operations.method.getOperation)[0]), false);
  assert.equal(safe(annotatedBindings(Operations.method.getOperation, { safe: true })[0]), true);
  assert.equal(safe(annotatedBindings(Operations.method.deleteOperation, { safe: true })[0]), false);
});

test("encodedVerb is off unless asked for", () => {
  assert.equal(annotatedBindings(Operations.method.cancelOperation)[0]?.encodedVerb, false);
  assert.equal(
    annotatedBindings(Operations.method.cancelOperation, { encodedVerb: true })[0]?.encodedVerb,
    true,
  );
});

const bad: readonly [HttpRuleDeclaration, string][] = [
  [{}, "a rule has 0 patterns; it takes one"],
  [{ get: "/v1/x", post: "/v1/x" }, "a rule has 2 patterns; it takes one"],
  [{ custom: { kind: "get", path: "/v1/x" } }, "'get' is no HTTP method"],
  [{ get: "/v1/**/x" }, "'/v1/**/x', column 7: '**' must be the last segment"],
  [{ get: "/v1/{nope}" }, "the variable 'nope' is no field of library.v1.AllKinds"],
  [{ get: "/v1/{inner.nope}" }, "the variable 'inner.nope' is no field of library.v1.AllKinds"],
  [{ get: "/v1/{text.name}" }, "the variable 'text.name' is no field of library.v1.AllKinds"],
  [{ get: "/v1/{inners.name}" }, "the variable 'inners.name' is no field of library.v1.AllKinds"],
  [{ get: "/v1/{struct.fields}" }, "the variable 'struct.fields' is no field of library.v1.AllKinds"],
  [{ get: "/v1/{words}" }, "the variable 'words' is no scalar field"],
  [{ get: "/v1/{labels}" }, "the variable 'labels' is no scalar field"],
  [{ get: "/v1/{inner}" }, "the variable 'inner' is no scalar field"],
  [{ get: "/v1/{time}" }, "the variable 'time' is no scalar field"],
  [{ get: "/v1/{int32_value=a/*}" }, "the variable 'int32_value' takes several segments and is no string"],
  [{ get: "/v1/{bytes_value=**}" }, "the variable 'bytes_value' takes several segments and is no string"],
  [{ get: "/v1/x", body: "*" }, "GET /v1/x has a body"],
  [{ post: "/v1/x", body: "nope" }, "the body 'nope' is no field of library.v1.AllKinds"],
  [{ post: "/v1/x", body: "inner.name" }, "the body 'inner.name' is no field of library.v1.AllKinds"],
  [{ post: "/v1/{text}", body: "text" }, "the body 'text' is bound in the path too"],
  [{ post: "/v1/x", responseBody: "nope" }, "the response_body 'nope' is no field of library.v1.AllKinds"],
];
for (const [rule, problem] of bad) {
  test(`${JSON.stringify(rule)} is refused: ${problem}`, () => {
    assert.throws(
      () => declaredBindings(libraryMethod("unbound"), [rule]),
      (error) => {
        assert.ok(error instanceof HttpRuleError);
        assert.equal(error.message, `library.v1.Library.Unbound: ${problem}`);
        return true;
      },
    );
  });
}

test("an annotation with nested additional bindings, or without a pattern, is refused", () => {
  const [nested, patternless] = Broken.methods;
  assert.throws(() => annotatedBindings(nested!), {
    message: "library.v1.Broken.NestedBindings: an additional binding has additional bindings",
  });
  assert.throws(() => annotatedBindings(patternless!), {
    message: "library.v1.Broken.NoPattern: the rule has no pattern",
  });
});

test("a response_body names a field of the response", () => {
  const [binding] = declaredBindings(libraryMethod("create"), [{ post: "/v1/x", responseBody: "pageCount" }]);
  assert.equal(binding?.responseField?.name, "page_count");
});
