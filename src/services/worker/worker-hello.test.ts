// Who may open a worker's stream, and with what hello.
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { SessionEnded_Cause } from "../../protocol/gen/belay/v1/workers_pb.ts";
import { toDuration } from "../../protocol/worker-messages.ts";
import { type HelloInit, RawWorker } from "../../testing/raw-worker.ts";
import { startTestServer, type TestServer } from "../../testing/test-server.ts";
import { mayWorkOn } from "./worker-hello.ts";

let server: TestServer;
let guarded: TestServer;
before(async () => {
  server = await startTestServer();
  const tokenOf = (name: string): string => hash("sha256", `token-of-${name}`, "hex");
  const base = { tenant: "acme", scopes: null, grants: null };
  guarded = await startTestServer({
    auth: {
      issuers: [],
      serviceAccounts: [],
      staticTokens: [
        { ...base, sha256: tokenOf("caller"), principal: "user:ada" },
        { ...base, sha256: tokenOf("worker"), principal: "worker:w", worker: { types: ["test.*"] } },
        { ...base, sha256: tokenOf("other"), principal: "worker:o", worker: { types: ["*"] } },
      ],
      iam: null,
      development: false,
    },
  });
});
after(async () => {
  await server.close();
  await guarded.close();
});

const helloTable: readonly (readonly [string, HelloInit, RegExp])[] = [
  ["no name", { worker: "" }, /hello\.worker/],
  [
    "a name of 257 characters",
    { worker: "w".repeat(257) },
    /hello\.worker: has 257 characters; takes 1 to 256/,
  ],
  ["no slots", { slots: 0 }, /hello\.slots: is 0; takes 1 to 100000/],
  ["100,001 slots", { slots: 100_001 }, /hello\.slots/],
  ["no types", { types: [] }, /hello\.types: has 0; takes 1 to 1000/],
  ["a type twice", { types: [{ type: "a.b" }, { type: "a.b" }] }, /names a type twice/],
  ["a wrong type", { types: [{ type: "A B" }] }, /hello\.types\[0\]\.type/],
  [
    "a type of the server's own",
    { types: [{ type: "belay.cancel-operations" }] },
    /hello\.types\[0\]\.type: belay\.cancel-operations is the server's own/,
  ],
  ["a lease of 0.5 s", { lease: toDuration(500) }, /hello\.lease: is 0\.5 s; takes 1 s to 600 s/],
  [
    "a grace of 11 minutes",
    { types: [{ type: "a.b", policy: { grace: toDuration(660_000) } }] },
    /hello\.types\[0\]\.policy\.grace: is 660000 ms: it is not a whole number from 0 to 600000/,
  ],
  [
    "101 attempts",
    { types: [{ type: "a.b", policy: { run: { maxAttempts: 101 } } }] },
    /policy\.run\.max_attempts: is 101/,
  ],
  ["an unknown on_delete", { types: [{ type: "a.b", policy: { onDelete: "burn" } }] }, /on_delete/],
];
for (const [what, changes, message] of helloTable) {
  test(`a hello with ${what} is refused with the field and its limits`, async () => {
    const worker = new RawWorker(server.address);
    worker.hello(changes);
    const error = await worker.ended;
    assert.equal(error?.code, status.INVALID_ARGUMENT);
    assert.match(error.details, message);
  });
}

for (const [token, types, code, message] of [
  ["caller", ["test.raw"], status.PERMISSION_DENIED, /its credential is not one of a worker/],
  ["worker", ["test.raw", "ocr.read"], status.PERMISSION_DENIED, /does not name the type ocr\.read/],
  [undefined, ["test.raw"], status.UNAUTHENTICATED, /./],
] as const) {
  test(`with identity ${token ?? "nobody"} may not work on ${types.join(" and ")}`, async () => {
    const worker = new RawWorker(guarded.address, token);
    worker.hello({ types: types.map((type) => ({ type })) });
    const error = await worker.ended;
    assert.equal(error?.code, code);
    assert.match(error.details, message);
  });
}

test("a session is only its principal's, and a worker's credential opens nothing else", async () => {
  const worker = new RawWorker(guarded.address, "worker");
  worker.hello();
  const { session } = await worker.next("welcome");
  const thief = new RawWorker(guarded.address, "other");
  thief.hello({ session });
  assert.equal((await thief.next("sessionEnded")).cause, SessionEnded_Cause.UNKNOWN);
  const headers = { authorization: "Bearer token-of-worker" };
  for (const path of [
    "/v1/operations",
    "/belay/v1/operations",
    "/belay/v1/operations:watch",
    "/belay/v1/workers",
  ]) {
    const response = await fetch(guarded.url + path, { headers });
    assert.equal(response.status, 403, path);
    assert.match(await response.text(), /WORKER_CREDENTIAL/);
  }
  await worker.bye();
});

for (const [type, named, may] of [
  ["a.b", ["a.b"], true],
  ["a.b", ["a.*"], true],
  ["a.b.c", ["a.*"], true],
  ["a", ["a.*"], false],
  ["ab.c", ["a.*"], false],
  ["a.b", ["*"], true],
  ["a.b", ["a"], false],
  ["a.b", [], false],
  ["a.b", null, false],
  ["a.b", undefined, true],
] as const) {
  test(`a credential for ${JSON.stringify(named)} ${may ? "takes" : "does not take"} ${type}`, () => {
    assert.equal(mayWorkOn(type, named), may);
  });
}
