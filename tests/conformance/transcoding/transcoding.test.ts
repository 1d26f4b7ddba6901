// Goal: google/api/http.proto, as tables. `path-templates.json`: one template, one path, what its variables
// capture. `requests.json`: whole requests, as real clients send them and as attackers do, against
// google.longrunning.Operations and belay.v1 served together. A row that is odd says why.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type DescMethod, type JsonObject, toJson } from "@bufbuild/protobuf";
import type { RpcError } from "../../../src/base/rpc-error.ts";
import {
  Operations as NativeOperations,
  OperationStarter,
} from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import {
  annotatedBindings,
  declaredBindings,
  type HttpBinding,
} from "../../../src/transcoding/http-rules.ts";
import { splitTarget } from "../../../src/transcoding/path-decoding.ts";
import { parsePathTemplate } from "../../../src/transcoding/path-template.ts";
import { RouteTrie } from "../../../src/transcoding/route-trie.ts";
import { createTranscoder } from "../../../src/transcoding/transcoder.ts";

function table<Row>(name: string): Row[] {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8")) as Row[];
}

interface TemplateRow {
  template: string;
  /** The template is refused with this text. */
  error?: string;
  path?: string;
  /** What the variables capture; null if the path does not match. */
  captures?: string[] | null;
  /** The path is refused with this reason. */
  reason?: string;
}

for (const { template, error, path = "", captures, reason } of table<TemplateRow>("path-templates.json")) {
  if (error !== undefined) {
    test(`template ${template}: ${error}`, () => {
      assert.throws(() => parsePathTemplate(template), { name: "PathTemplateError", message: error });
    });
    continue;
  }
  test(`template ${template} and ${path}: ${reason ?? JSON.stringify(captures)}`, () => {
    const trie = new RouteTrie<null>();
    trie.add({ httpMethod: "GET", template: parsePathTemplate(template), value: null });
    const match = (): string[] | null => {
      const found = trie.match("GET", splitTarget(path).segments);
      return found.kind === "found" ? [...found.captures] : null;
    };
    if (reason !== undefined) assert.throws(match, { reason });
    else assert.deepEqual(match(), captures);
  });
}

interface RequestRow {
  /** Method and target. */
  request: string;
  body?: string;
  /** The method that is found, with its request in ProtoJSON. */
  method?: string;
  message?: JsonObject | string;
  /** Or the reason of the refusal; `message` is its text then. */
  reason?: string;
  allowed?: string;
}

/** What a service declares beside the annotations; the last two as a service of the yandex dialect does. */
function declared(): [DescMethod, HttpBinding[]][] {
  const { getOperation, waitOperation, cancelOperation } = Operations.method;
  return [
    [getOperation, declaredBindings(getOperation, [{ get: "/v1/{name=projects/*/operations/*}" }])],
    [waitOperation, declaredBindings(waitOperation, [{ post: "/v1/{name=operations/**}:wait", body: "*" }])],
    [getOperation, declaredBindings(getOperation, [{ get: "/operations/{name}" }])],
    [
      cancelOperation,
      declaredBindings(cancelOperation, [{ get: "/operations/{name}:cancel" }], { encodedVerb: true }),
    ],
  ];
}

const annotated = [Operations, NativeOperations, OperationStarter].flatMap((service) => service.methods);
const transcoder = createTranscoder([
  ...annotated.map((desc) => ({ desc, rules: annotatedBindings(desc), value: desc })),
  ...declared().map(([desc, rules]) => ({ desc, rules, value: desc })),
]);

for (const { request, body = "", method, message, reason, allowed } of table<RequestRow>("requests.json")) {
  test(`${request} ${body.slice(0, 60)}: ${reason ?? method}`, () => {
    const [httpMethod, target] = request.split(" ") as [string, string];
    const run = (): { value: DescMethod; json: unknown } => {
      const { value, request } = transcoder.transcode(
        transcoder.match(httpMethod, target),
        Buffer.from(body),
      );
      return { value, json: toJson(value.input, request) };
    };
    if (reason === undefined) {
      const { value, json } = run();
      assert.equal(`${value.parent.typeName}.${value.name}`, method);
      assert.deepEqual(json, message);
      return;
    }
    assert.throws(run, (error: RpcError) => {
      assert.equal(error.reason, reason, String(error));
      if (allowed !== undefined) assert.equal(error.parameters["allowed"], allowed);
      if (message !== undefined) assert.equal(error.message, message);
      return true;
    });
  });
}
