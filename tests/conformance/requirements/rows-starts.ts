// R15-R18 and R47: starting (AIP-151, 155, 163), and how long a done operation is kept.
import assert from "node:assert/strict";
import type { JsonObject } from "@bufbuild/protobuf";
import { eventually } from "../../../src/testing/eventually.ts";
import {
  all,
  both,
  type Case,
  disk,
  google,
  grpc,
  plain,
  type Row,
  rest,
  rows,
  shop,
  yandex,
} from "./row.ts";
import { countArtifacts, createModel, createOrder, recognize, resize } from "./started-apis.ts";
import { freshName } from "./suite-services.ts";
import { must, refusal } from "./surface.ts";

const startErrors: Case[] = [
  {
    method: "StartOperation",
    input: "an unknown type",
    expected: "an RPC error, and no operation",
    async check(at) {
      assert.equal(
        refusal(await at.startReply("no.such", { parent: at.parent })),
        "3 OPERATION_TYPE_UNKNOWN",
      );
    },
  },
  {
    method: "Start, Get",
    input: "work that fails",
    expected: "the failure is Operation.error: a code of google.rpc.Code and a message",
    async check(at) {
      const { error } = at.shown(await at.get(await at.startDone("suite.fail", { payload: { code: 9 } })));
      assert.deepEqual(error, { code: 9, message: "the work failed", details: 0 });
    },
  },
];

const declaredErrors: Row[] = [
  ...rows(
    15,
    [...grpc("automl"), ...rest("automl")],
    [
      {
        method: "CreateModel",
        input: "a model",
        expected: "one Operation, named and not done",
        async check(at) {
          const shown = at.shown(await createModel(at, at.parent, "digits"));
          assert.match(shown.name, /^projects\/p\/locations\/l\/operations\/aml[a-z0-9]{17}$/);
          assert.deepEqual([shown.error, shown.response], [null, null]);
        },
      },
    ],
  ),
  ...rows(15, grpc("automl"), [
    {
      method: "CreateModel",
      input: "a parent of another form",
      expected: "INVALID_ARGUMENT",
      async check(at) {
        assert.equal(refusal(await createModel(at, "projects/p", "digits")), "3 INVALID_FIELD");
      },
    },
  ]),
  ...rows(
    15,
    [...grpc("vault"), ...rest("vault")],
    [
      {
        method: "CountArtifacts",
        input: "a matter",
        expected: "one Operation, which ends with the count",
        async check(at) {
          const { name } = at.shown(await countArtifacts(at, { matterId: "m1", view: "TOTAL_COUNT" }));
          assert.match(name, /^operations\/vlt/);
          assert.deepEqual((await at.ended(name)).response, {
            "@type": "type.googleapis.com/vault.v1.CountArtifactsResponse",
            totalCount: "9007199254740993",
          });
        },
      },
    ],
  ),
  ...rows(15, shop, [
    {
      method: "CreateOrder",
      input: "no order",
      expected: "INVALID_ARGUMENT, and no operation",
      async check(at) {
        assert.equal(refusal(await createOrder(at, { parent: "shops/s" })), "3 INVALID_FIELD");
      },
    },
  ]),
  ...rows(15, yandex, [
    {
      method: "Recognize",
      input: "a document",
      expected: "one Operation of that dialect, which ends with the text",
      async check(at) {
        const content = Buffer.from("hello").toString("base64");
        const { name } = at.shown(await recognize(at, { content }));
        const { response } = await at.ended(name);
        assert.deepEqual(response?.["textAnnotation"], { fullText: "hello" });
      },
    },
    {
      method: "Recognize",
      input: "a model name of 51 characters",
      expected: "INVALID_ARGUMENT, and no operation",
      async check(at) {
        assert.equal(refusal(await recognize(at, { model: "x".repeat(51) })), "3 INVALID_FIELD");
      },
    },
  ]),
];

const validateOnly: Case[] = [
  {
    method: "CreateOrder",
    input: "validate_only=true, a valid order",
    expected: "a done operation without a name, with a valid response",
    async check(at) {
      const json = must(await createOrder(at, { parent: "shops/v", order: {}, validateOnly: true }));
      assert.deepEqual([json["name"], json["done"]], [undefined, true]);
      assert.deepEqual(json["response"], { "@type": "type.googleapis.com/shop.v1.Order" });
    },
  },
  {
    method: "CreateOrder",
    input: "validate_only=true, no order",
    expected: "the error of a real start",
    async check(at) {
      const reply = await createOrder(at, { parent: "shops/v", validateOnly: true });
      assert.equal(refusal(reply), "3 INVALID_FIELD");
    },
  },
];

const parallel: Case = {
  method: "CreateOrder",
  input: "a second one on the same shop while the first runs",
  expected: "it is taken, not refused; both end",
  async check(at) {
    const gates = [freshName("gate"), freshName("gate")];
    const parent = `shops/${freshName("s").slice(0, 40)}`;
    const names: string[] = [];
    for (const gate of gates) {
      names.push(String(must(await createOrder(at, { parent, order: { title: `hold ${gate}` } }))["name"]));
    }
    for (const gate of gates) await at.open(gate);
    for (const name of names) assert.equal((await at.ended(name)).error, null);
  },
};

/** Retention is looked at every minute; in our own server it is asked for. */
const PURGE_TIMEOUT_MS = 90_000;

const retention: Case = {
  method: "Get",
  input: "a done and a running operation, a retention of 1 s passed",
  expected: "the done one is NOT_FOUND, the running one is there",
  async check(at) {
    const done = await at.startDone("suite.brief");
    const { name: running, open } = await at.startRunning("suite.brief");
    const isGone = async (): Promise<boolean> => {
      await at.target.own?.store.purge(500);
      return (await at.get(done)).error?.reason === "OPERATION_NOT_FOUND";
    };
    await eventually("the done one is purged", isGone, { timeoutMs: PURGE_TIMEOUT_MS });
    assert.equal(at.shown(await at.get(running)).done, false);
    await open();
  },
};

const requestIds: Case[] = [
  {
    method: "StartOperation",
    input: "the same request_id and request, ten times at once",
    expected: "one operation",
    async check(at) {
      const options = { requestId: freshName("r"), payload: { a: 1 }, parent: at.parent };
      const names = await Promise.all(Array.from({ length: 10 }, () => at.start("suite.echo", options)));
      assert.equal(new Set(names).size, 1);
    },
  },
  {
    method: "StartOperation",
    input: "the same request_id, another request",
    expected: "INVALID_ARGUMENT",
    async check(at) {
      const { parent } = at;
      const requestId = freshName("r");
      await at.start("suite.echo", { requestId, parent, payload: { a: 1 } });
      const reply = await at.startReply("suite.echo", { requestId, parent, payload: { a: 2 } });
      assert.equal(refusal(reply), "3 REQUEST_ID_REUSED");
    },
  },
];

const repeatedOrder: Case = {
  method: "CreateOrder",
  input: "the same request_id after the end",
  expected: "the same operation in its current state; another order is INVALID_ARGUMENT",
  async check(at) {
    const request = { parent: "shops/s", order: { title: "Tea" }, requestId: freshName("r") };
    const name = String(must(await createOrder(at, request))["name"]);
    await at.ended(name);
    const again = at.shown(await createOrder(at, request));
    assert.deepEqual([again.name, again.done], [name, true]);
    const other = { ...request, order: { title: "Coffee" } };
    assert.equal(refusal(await createOrder(at, other)), "3 REQUEST_ID_REUSED");
  },
};

const cancelTwice: Case = {
  method: "Cancel",
  input: "the same request twice",
  expected: "idempotent without a request_id",
  async check(at) {
    const { name, open } = await at.startRunning("suite.stubborn");
    const verdicts = [];
    for (let call = 0; call < 2; call++) {
      const reply = await at.cancel(name);
      must(reply);
      verdicts.push(reply.trailers["belay-cancel-verdict"]);
    }
    assert.deepEqual(verdicts, ["STOPPING", "ALREADY_STOPPING"]);
    await open();
  },
};

/** Idempotency-Key, for R23 too. */
export const idempotencyKey: Case = {
  method: "Resize",
  input: "the same Idempotency-Key",
  expected: "the same Operation in its current state; with another request INVALID_ARGUMENT",
  async check(at) {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const request: JsonObject = { diskId: "d1", size: "2" };
    const { name } = at.shown(await resize(at, request, headers));
    await at.ended(name);
    const again = at.shown(await resize(at, request, headers));
    assert.deepEqual([again.name, again.done], [name, true]);
    assert.equal(refusal(await resize(at, { ...request, size: "3" }, headers)), "3 REQUEST_ID_REUSED");
  },
};

export const startRows: readonly Row[] = [
  ...rows(15, all, startErrors),
  ...declaredErrors,
  ...rows(16, shop, validateOnly),
  ...rows(17, shop, [parallel]),
  ...rows(18, both, [retention]),
  ...rows(47, google, requestIds),
  ...rows(47, shop, [repeatedOrder]),
  ...rows(47, disk, [idempotencyKey]),
  ...rows(47, plain, [cancelTwice]),
];
