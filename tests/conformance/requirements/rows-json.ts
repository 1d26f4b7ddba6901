// R52-R55: ProtoJSON, in and out.
import assert from "node:assert/strict";
import type { JsonObject } from "@bufbuild/protobuf";
import type { TestServer } from "../../../src/testing/test-server.ts";
import { both, type Case, grpc, type Row, rest, rows } from "./row.ts";
import { countArtifacts, recognize } from "./started-apis.ts";
import { must, pathOf, refusal, type Surface } from "./surface.ts";

const post = (at: Surface, body: unknown): ReturnType<Surface["get"]> =>
  at.client.rest("POST", "/belay/v1/operations", { body });

const startWith = (at: Surface, fields: JsonObject): ReturnType<Surface["get"]> =>
  post(at, { type: "suite.echo", parent: at.parent, ...fields });

const defaults: Case = {
  method: "Get",
  input: "a running operation",
  expected: "done:false and all that is empty are left out",
  async check(at) {
    const { name, open } = await at.startRunning();
    const reply = await at.client.rest("GET", pathOf(at.service, name));
    assert.deepEqual(
      Object.keys(must(reply)).filter((key) => key !== "metadata"),
      ["name"],
    );
    assert.ok(!reply.text.includes("null"));
    await open();
  },
};

const names: Case[] = [
  {
    method: "StartOperation",
    input: "requestId and request_id",
    expected: "either is taken; lowerCamelCase comes out",
    async check(at) {
      for (const name of ["cancelPolicy", "cancel_policy"]) {
        const json = must(await startWith(at, { [name]: { grace: "1s" } }));
        assert.ok("createTime" in json && !("create_time" in json));
      }
    },
  },
  {
    method: "StartOperation",
    input: "null",
    expected: "as if it was absent",
    async check(at) {
      must(await startWith(at, { description: null, labels: null, deadline: null, payload: null }));
    },
  },
  ...(
    [
      ["an unknown field", { nonsense: 1 }],
      ["a value of another type", { description: 1 }],
      ["a name given in both forms", { requestId: "a", request_id: "b" }],
    ] as const
  ).map(
    ([input, fields]): Case => ({
      method: "StartOperation",
      input,
      expected: "INVALID_ARGUMENT",
      async check(at) {
        assert.equal(refusal(await startWith(at, fields)), "3 INVALID_JSON");
      },
    }),
  ),
];

const outOfRange: Case = {
  method: "List",
  input: "page_size 2147483648 and 1.5",
  expected: "INVALID_ARGUMENT",
  async check(at) {
    for (const size of ["2147483648", "1.5"]) {
      const reply = await at.client.rest("GET", `${pathOf(at.service, at.collection)}?pageSize=${size}`);
      assert.equal(refusal(reply), "3 INVALID_QUERY_PARAMETER");
    }
  },
};

const times: Case[] = [
  {
    method: "StartOperation",
    input: "deadline with an offset and one fraction digit",
    expected: "the same instant in Z, with 0, 3, 6 or 9 digits",
    async check(at) {
      const json = must(await startWith(at, { deadline: "2031-01-01T02:00:00.5+02:00" }));
      assert.equal(json["deadline"], "2031-01-01T00:00:00.500Z");
      assert.match(String(json["createTime"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}){1,3})?Z$/);
    },
  },
  ...["2031-01-01T00:00:00", "2031-13-01T00:00:00Z", "2031-01-01 00:00:00Z", "tomorrow", 1].map(
    (deadline): Case => ({
      method: "StartOperation",
      input: `deadline ${JSON.stringify(deadline)}`,
      expected: "INVALID_ARGUMENT",
      async check(at) {
        assert.equal(refusal(await startWith(at, { deadline })), "3 INVALID_JSON");
      },
    }),
  ),
  {
    method: "StartOperation",
    input: 'grace "1.5s" and "1.5"',
    expected: "the first is taken, the second INVALID_ARGUMENT",
    async check(at) {
      must(await startWith(at, { cancelPolicy: { grace: "1.5s" } }));
      assert.equal(refusal(await startWith(at, { cancelPolicy: { grace: "1.5" } })), "3 INVALID_JSON");
    },
  },
];

const numbers: Case = {
  method: "CountArtifacts",
  input: "view ALL, view 2; a total of 2^53 + 1",
  expected: "either form of the enum is taken, another is INVALID_ARGUMENT; int64 is a string",
  async check(at) {
    for (const view of ["ALL", 2]) {
      const { name } = at.shown(await countArtifacts(at, { matterId: "m1", view }));
      assert.equal((await at.ended(name)).response?.["totalCount"], "9007199254740993");
    }
    const reply = await countArtifacts(at, { matterId: "m1", view: "EVERYTHING" });
    assert.equal(refusal(reply), "3 INVALID_JSON");
  },
};

const enumsOut: Case = {
  method: "Get of belay.v1",
  input: "a state, and $alt=json;enum-encoding=int",
  expected: "its name; its number where that is asked for",
  async check(at) {
    const name = await at.startDone();
    assert.equal((await at.native(name))["state"], "SUCCEEDED");
    const json = must(await at.client.rest("GET", `/belay/v1/${name}?$alt=json;enum-encoding=int`));
    assert.equal(json["state"], 4);
  },
};

const bytes: Case = {
  method: "Recognize",
  input: "content in either alphabet of base64",
  expected: "the same bytes",
  async check(at) {
    const text = "?>~\u00ff?>~";
    for (const encoding of ["base64", "base64url"] as const) {
      const content = Buffer.from(text).toString(encoding);
      const { name } = at.shown(await recognize(at, { content }));
      assert.deepEqual((await at.ended(name)).response?.["textAnnotation"], { fullText: text });
    }
  },
};

const anyForms: Case[] = [
  {
    method: "Get",
    input: "a response of google.protobuf.Struct",
    expected: '{"@type", "value": {...}}',
    async check(at) {
      const name = await at.startDone("suite.echo", { payload: { pages: 3 } });
      const json = must(await at.client.rest("GET", pathOf(at.service, name)));
      assert.deepEqual(json["response"], {
        "@type": "type.googleapis.com/google.protobuf.Struct",
        value: { pages: 3 },
      });
    },
  },
  {
    method: "Get",
    input: "a response of google.protobuf.Empty",
    expected: '{"@type"} alone',
    async check(at) {
      const name = await at.startDone("suite.empty");
      const json = must(await at.client.rest("GET", pathOf(at.service, name)));
      assert.deepEqual(json["response"], { "@type": "type.googleapis.com/google.protobuf.Empty" });
    },
  },
];

const anyFields: Case = {
  method: "Get",
  input: "a response of a declared message",
  expected: '{"@type", ...its fields}',
  async check(at) {
    const { name } = at.shown(await countArtifacts(at, { matterId: "m1" }));
    const { response } = await at.ended(name);
    assert.deepEqual(Object.keys(response ?? {}), ["@type", "totalCount"]);
  },
};

let foreignTypes = 0;

/** Ends an operation past every codec, with a type that no registry has. */
async function insertForeign({ engine }: TestServer, at: Surface): Promise<string> {
  // Rows run side by side: with a type of its own none is given the operation of another one.
  foreignTypes++;
  const type = `suite.foreign-${foreignTypes}`;
  engine.registerType(type, (await engine.get(await anyKey(at))).record.policy);
  const { operation } = await engine.start({
    service: at.service,
    tenant: "default",
    idPrefix: "for",
    parent: at.parent,
    type,
    createdBy: "user:ada",
    origin: "test",
    description: "",
    labels: {},
    request: { typeUrl: "type.googleapis.com/google.protobuf.Struct", bytes: new Uint8Array(0) },
    metadata: null,
    requestId: "",
    requestDigest: "",
    method: "test",
    deadline: null,
  });
  const { name } = operation.record;
  const granted = Promise.withResolvers<number>();
  const hello = {
    kind: "embedded",
    worker: "w",
    slots: 1,
    guarded: true,
    bootId: "",
    build: "",
    principal: "",
    leaseMs: 0,
  } as const;
  const session = await engine.openSession(
    { ...hello, types: [type] },
    {
      reserves: false,
      granted: ({ record }) => {
        if (record.name === name) granted.resolve(record.leaseToken);
      },
      cancelRequested: () => {},
      revoked: () => {},
      drain: () => {},
      ended: () => {},
    },
  );
  await session.report({
    type: "complete",
    key: { service: at.service, tenant: "default", name },
    session: session.id,
    token: await granted.promise,
    response: { typeUrl: "example.com/foo.Bar", bytes: Buffer.from([1, 2, 3, 255]) },
    digest: "d",
  });
  await engine.closeSession(session.id);
  return name;
}

async function anyKey(at: Surface): Promise<{ service: string; tenant: string; name: string }> {
  return { service: at.service, tenant: "default", name: await at.startDone() };
}

const foreignType: Case = {
  method: "Get, List",
  input: "a response of a type that nobody registered",
  expected: '{"@type", "value": base64}; gRPC has the bytes; List does not fail',
  ownServer: "no handler answers a type that is not known",
  async check(at) {
    const { own } = at.target;
    assert.ok(own);
    const name = await insertForeign(own, at);
    const shown = { "@type": "example.com/foo.Bar", value: "AQID/w==" };
    assert.deepEqual(at.shown(await at.get(name)).response, shown);
    if (!at.isYandex) assert.ok((await at.page({ pageSize: 1000 })).names.includes(name));
  },
};

export const jsonRows: readonly Row[] = [
  ...rows(52, rest("default", "vault", "dai", "automl"), [defaults, outOfRange]),
  ...rows(52, rest("default", "vault", "dai", "automl", "yandex"), names),
  ...rows(53, rest("default", "yandex"), times),
  ...rows(53, rest("vault"), [numbers]),
  ...rows(53, rest("default", "yandex"), [enumsOut]),
  ...rows(53, rest("yandex"), [bytes]),
  ...rows(54, rest("default", "vault", "dai", "automl", "yandex"), anyForms),
  ...rows(54, [...grpc("vault"), ...rest("vault")], [anyFields]),
  ...rows(55, both, [foreignType]),
];
