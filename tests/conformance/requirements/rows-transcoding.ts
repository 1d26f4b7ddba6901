// R24-R27: google.api.http (AIP-127). The grammar itself has its own tables in tests/conformance/transcoding.
import assert from "node:assert/strict";
import type { RestOptions, WireReply } from "../wire/wire-client.ts";
import { type Case, type Row, rest, rows } from "./row.ts";
import { must, pathOf, refusal, type Surface } from "./surface.ts";

/** A request on REST, and what it must be refused with. */
function refused(
  method: string,
  input: string,
  expected: string,
  target: (id: string) => [httpMethod: string, path: string, options?: RestOptions],
): Case {
  return {
    method,
    input,
    expected,
    async check(at) {
      const id = (await at.startDone()).slice("operations/".length);
      assert.equal(refusal(await at.client.rest(...target(id))), expected);
    },
  };
}

const templates: Case[] = [
  refused("Get", "`**` takes several segments: operations/{id}/x", "3 INVALID_NAME", (id) => [
    "GET",
    `/v1/operations/${id}/x`,
  ]),
  refused("Get", "no leading part: x/operations/{id}", "5 ROUTE_NOT_FOUND", (id) => [
    "GET",
    `/x/v1/operations/${id}`,
  ]),
  refused("Get", "another literal: Operations/{id}", "5 ROUTE_NOT_FOUND", (id) => [
    "GET",
    `/v1/Operations/${id}`,
  ]),
  refused("Cancel", "the verb with another HTTP method", "12 METHOD_NOT_ALLOWED", (id) => [
    "PUT",
    `/v1/operations/${id}:cancel`,
  ]),
];

const single: Case[] = [
  {
    method: "CountArtifacts",
    input: "{matter_id} is {matter_id=*}: one segment",
    expected: "m1 is taken, m1/x is no path",
    async check(at) {
      must(await at.client.rest("POST", "/v1/matters/m1:count", { body: {} }));
      const reply = await at.client.rest("POST", "/v1/matters/m1/x:count", { body: {} });
      assert.equal(refusal(reply), "5 ROUTE_NOT_FOUND");
    },
  },
];

const fixedParents: Case = {
  method: "Get",
  input: "projects/*/locations/*: a segment more, and one less",
  expected: "5 ROUTE_NOT_FOUND",
  async check(at) {
    const id = (await at.startDone()).split("/").at(-1);
    for (const path of [`projects/p/locations/l/x/operations/${id}`, `projects/p/operations/${id}`]) {
      assert.equal(refusal(await at.client.rest("GET", `/v1beta1/${path}`)), "5 ROUTE_NOT_FOUND");
    }
  },
};

const decoding: Case[] = [
  {
    method: "Get",
    input: "an escaped letter in a multi-segment variable",
    expected: "decoded",
    async check(at) {
      const name = await at.startDone();
      const escaped = `%${name.charCodeAt(11).toString(16)}`;
      must(await at.client.rest("GET", `/v1/operations/${escaped}${name.slice(12)}`));
    },
  },
  refused("Get", "%2F and %2f in a multi-segment variable", "3 INVALID_NAME", (id) => [
    "GET",
    `/v1/operations/${id}%2Fx`,
  ]),
  refused("Get", "%2f in a multi-segment variable", "3 INVALID_NAME", (id) => [
    "GET",
    `/v1/operations/${id}%2fx`,
  ]),
  refused("Get", "an escaped colon is no verb", "3 INVALID_NAME", (id) => [
    "GET",
    `/v1/operations/${id}%3Acancel`,
  ]),
  refused("Get", "an escape that is none: %zz", "3 INVALID_PATH", () => ["GET", "/v1/operations/%zz"]),
];

const singleDecoding: Case = {
  method: "CountArtifacts",
  input: "%2F, %3A and %20 in a single-segment variable",
  expected: "all decoded",
  async check(at) {
    const path = "/v1/matters/a%2Fb%3Ac%20d:count";
    const { name } = at.shown(await at.client.rest("POST", path, { body: {} }));
    const payload = (await at.native(name))["payload"] as { matterId?: string } | undefined;
    assert.equal(payload?.matterId, "a/b:c d");
  },
};

const query: Case[] = [
  {
    method: "List",
    input: "pageSize and page_size",
    expected: "either name is taken",
    async check(at) {
      await at.startDone();
      await at.startDone();
      for (const name of ["pageSize", "page_size"]) {
        const { operations } = must(await at.client.rest("GET", `/v1/operations?${name}=1`));
        assert.equal((operations as unknown[]).length, 1);
      }
    },
  },
  refused("List", "an unknown parameter", "3 INVALID_QUERY_PARAMETER", () => [
    "GET",
    "/v1/operations?nonsense=1",
  ]),
  refused("List", "a parameter that may come once, twice", "3 INVALID_QUERY_PARAMETER", () => [
    "GET",
    "/v1/operations?pageSize=1&pageSize=2",
  ]),
  refused("List", "a field that is in the path", "3 INVALID_QUERY_PARAMETER", () => [
    "GET",
    "/v1/operations?name=operations",
  ]),
  refused("Cancel", "a query parameter beside body *", "3 INVALID_QUERY_PARAMETER", (id) => [
    "POST",
    `/v1/operations/${id}:cancel?name=operations/${id}`,
  ]),
  refused("Get", "a body where there is none", "3 INVALID_JSON", (id) => [
    "GET",
    `/v1/operations/${id}`,
    { body: { name: "x" } },
  ]),
  refused("Delete", "a body where there is none", "3 INVALID_JSON", (id) => [
    "DELETE",
    `/v1/operations/${id}`,
    { body: { name: "x" } },
  ]),
];

const bodyField: Case = {
  method: "CreateModel",
  input: "body: model",
  expected: "the body is the model alone; its fields in the query are INVALID_ARGUMENT",
  async check(at) {
    const path = `/v1beta1/${at.parent}/models`;
    must(await at.client.rest("POST", path, { body: { displayName: "digits" } }));
    const wrapped = await at.client.rest("POST", path, { body: { model: { displayName: "digits" } } });
    assert.equal(refusal(wrapped), "3 INVALID_JSON");
    const twice = await at.client.rest("POST", `${path}?model.displayName=x`, { body: {} });
    assert.equal(refusal(twice), "3 INVALID_QUERY_PARAMETER");
  },
};

const nestedVariable: Case = {
  method: "UpdateOrder",
  input: "{order.name=shops/*/orders/*}, a variable in a nested field",
  expected: "bound: the method is reached, and has no handler",
  async check(at) {
    const reply = await at.client.rest("POST", "/v1/shops/s/orders/o", { body: { title: "x" } });
    assert.equal(refusal(reply), "12 START_NOT_SERVED");
  },
};

const bodies: readonly [string, RestOptions][] = [
  ["no body at all", {}],
  ["content-length: 0", { headers: { "content-length": "0" } }],
  [
    "content-length: 0 and a content type",
    { headers: { "content-length": "0", "content-type": "application/json" } },
  ],
  ["{}", { body: "{}" }],
];

const emptyBodies: Case[] = bodies.map(([input, options]) => ({
  method: "Cancel",
  input,
  expected: "200",
  async check(at: Surface) {
    const { name } = await at.startRunning();
    const reply: WireReply = await at.client.rest("POST", `${pathOf(at.service, name)}:cancel`, options);
    assert.equal(reply.httpStatus, 200, reply.text);
    if (!at.isYandex) assert.equal(reply.text, "{}");
    assert.equal((await at.ended(name)).error?.code, 1);
  },
}));

export const transcodingRows: readonly Row[] = [
  ...rows(24, rest("default", "vault", "dai"), templates),
  ...rows(24, rest("vault"), single),
  ...rows(24, rest("automl"), [fixedParents]),
  ...rows(24, rest("shop"), [nestedVariable]),
  ...rows(25, rest("default", "vault", "dai"), decoding),
  ...rows(25, rest("vault"), [singleDecoding]),
  ...rows(26, rest("default", "vault", "dai"), query),
  ...rows(26, rest("automl"), [bodyField]),
  ...rows(27, rest("default", "vault", "dai", "automl", "yandex"), emptyBodies),
];
