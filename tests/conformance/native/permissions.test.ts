// Who may do what with belay.v1 where callers are asked who they are: force is a permission of its own, a worker's credential
// opens nothing but its own stream, and to a caller of another tenant what is there looks like what is not.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { DescService, JsonObject } from "@bufbuild/protobuf";
import {
  Operations as NativeOperations,
  OperationStarter,
} from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { OperationService } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { authDefaults, type StaticTokenConfig } from "../../../src/server/auth/auth-config.ts";
import { defaultService } from "../../../src/services/builtin/default.ts";
import { vaultService } from "../../../src/services/builtin/vault.ts";
import { yandexService } from "../../../src/services/builtin/yandex.ts";
import { defineService } from "../../../src/services/define-service.ts";
import { type NativeWorld, startNativeWorld } from "../../../src/testing/native-world.ts";
import { RawWorker } from "../../../src/testing/raw-worker.ts";
import { openWatch } from "../wire/watch-client.ts";
import { errorOfGrpc, WireClient, type WireReply } from "../wire/wire-client.ts";
import { callNative, must, type NativeMethod, places, refusal, transports } from "./native-calls.ts";

const EDISCOVERY = "https://www.googleapis.com/auth/ediscovery";
const STOP = "https://example.com/auth/stop";
const KILL = "https://example.com/auth/kill";

const callers: Readonly<Record<string, Partial<StaticTokenConfig>>> = {
  ada: {},
  eve: { tenant: "globex" },
  pat: { grants: ["projects/p"] },
  /** May cancel in Vault, and has no other word for force there. */
  vera: { scopes: [EDISCOVERY] },
  stopper: { scopes: [STOP] },
  killer: { scopes: [STOP, KILL] },
  worker: { worker: { types: ["test.raw"] } },
};
// RawWorker makes the same of a name.
const tokenOf = (caller: string): string => `token-of-${caller}`;

const services = [
  defaultService,
  // Any type: the operations of the test are none of Vault's.
  { ...vaultService, types: null },
  yandexService,
  defineService({ id: "mill", hosts: ["mill.localhost"], scopes: { cancel: [STOP], force: [KILL] } }),
];

let world: NativeWorld;
const clients: WireClient[] = [];
before(async () => {
  const staticTokens = Object.entries(callers).map(
    ([name, more]): StaticTokenConfig => ({
      sha256: createHash("sha256").update(tokenOf(name)).digest("hex"),
      ...{ principal: `user:${name}`, tenant: "default", scopes: null, grants: null, ...more },
    }),
  );
  const { tokenLifetimeSeconds, iamHosts: hosts } = authDefaults;
  const iam = { oauthTokens: [], serviceAccounts: [], tokenLifetimeSeconds, hosts };
  const auth = { issuers: [], serviceAccounts: [], staticTokens, iam, development: false };
  world = await startNativeWorld({ services, auth });
});
after(async () => {
  for (const client of clients) client.close();
  await world.close();
});

function client(caller: string, service = "default"): WireClient {
  const authority = service === "default" ? null : `${service}.localhost`;
  const made = new WireClient({ url: world.url, authority }, { authorization: `Bearer ${tokenOf(caller)}` });
  clients.push(made);
  return made;
}

async function start(service = "default", parent = "", type = "test.parked"): Promise<string> {
  const request = { type, parent };
  return String(must(await callNative(client("ada", service), "rest", "startOperation", request))["name"]);
}

for (const transport of transports) {
  describe(transport, () => {
    for (const [service, may, mayNot] of [
      ["vault", "ada", "vera"],
      ["mill", "killer", "stopper"],
    ] as const) {
      test(`${service}: who may only cancel may not force, and nothing has changed`, async () => {
        const name = await start(service);
        const [allowed, denied] = [client(may, service), client(mayNot, service)];
        const before = must(await callNative(client("ada", service), "rest", "getOperation", { name }));
        const calls: readonly [NativeMethod, JsonObject][] = [
          ["cancelOperation", { name, force: true }],
          ["cancelOperation", { name, force: true, validateOnly: true }],
          ["cancelOperations", { filter: `name = "${name}"`, force: true }],
          ["releaseHeldOperation", { name, reason: "gone" }],
          // Told before it is looked for: the absent one is no different.
          ["cancelOperation", { name: "operations/none", force: true }],
        ];
        for (const [method, request] of calls) {
          const told = refusal(await callNative(denied, transport, method, request));
          // A release is force and nothing else: where a service names scopes for that, it is asked for at the door.
          const isAtTheDoor = service === "mill" && method === "releaseHeldOperation";
          assert.equal(told, isAtTheDoor ? "7 ACCESS_TOKEN_SCOPE_INSUFFICIENT" : "7 FORCE_REFUSED", method);
        }
        const still = must(await callNative(client("ada", service), "rest", "getOperation", { name }));
        assert.deepEqual(still, before);
        assert.equal(
          must(await callNative(denied, transport, "cancelOperation", { name }))["verdict"],
          "PREVENTED_START",
        );
        const forced = await start(service);
        const reply = await callNative(allowed, transport, "cancelOperation", { name: forced, force: true });
        assert.equal(must(reply)["verdict"], "PREVENTED_START");
      });
    }

    test("to another tenant what is there is as what is not", async () => {
      const name = await start();
      const absent = "operations/opr00000000000000000";
      const eve = client("eve");
      const calls: readonly [NativeMethod, JsonObject][] = [
        ["getOperation", {}],
        ["waitOperation", { timeout: "1s" }],
        ["cancelOperation", { etag: '"1"' }],
        ["cancelOperation", { validateOnly: true }],
        ["cancelOperation", { force: true }],
        ["deleteOperation", {}],
        ["rerunOperation", {}],
        ["explainOperation", {}],
        ["releaseHeldOperation", { reason: "gone" }],
        ["getReceipt", {}],
      ];
      const told = ({ error }: WireReply, own: string): unknown =>
        JSON.parse(JSON.stringify(error).replaceAll(own, "NAME"));
      for (const [method, request] of calls) {
        const [foreign, none] = await Promise.all(
          [name, absent].map((each) => callNative(eve, transport, method, { ...request, name: each })),
        );
        assert.ok(foreign && none && foreign.error?.code === 5, `${method}: ${foreign?.error?.code}`);
        const withoutIds = (error: unknown): string =>
          JSON.stringify(error).replace(/"requestId":"[^"]*"/g, "");
        assert.equal(withoutIds(told(foreign, name)), withoutIds(told(none, absent)), method);
      }
      const counts = [];
      for (const each of [name, absent]) {
        const request = { filter: `name = "${each}"` };
        const bulk = must(await callNative(eve, transport, "cancelOperations", request));
        const done = must(await callNative(eve, transport, "waitOperation", { name: String(bulk["name"]) }));
        counts.push((done["response"] as JsonObject)["value"]);
      }
      assert.deepEqual(counts[0], counts[1]);
      assert.equal((counts[0] as JsonObject)["matched"], 0);
      const batch = await callNative(eve, transport, "listOperations", { filter: `name = "${name}"` });
      assert.deepEqual(must(batch)["operations"] ?? [], []);
      const chain = must(await callNative(eve, transport, "exportReceipts", {}));
      assert.ok(!JSON.stringify(chain).includes(name));
      const shown = must(await callNative(client("ada"), "rest", "getOperation", { name }));
      assert.deepEqual([shown["state"], shown["etag"]], ["PENDING", '"1"']);
    });

    test("a watch of another tenant's names tells what a watch of absent ones does", async () => {
      const name = await start();
      const absent = "operations/opr00000000000000000";
      const eve = client("eve");
      const lone = await Promise.all(
        [name, absent].map((each) => openWatch(eve, transport, { names: [each] }).ended),
      );
      for (const error of lone) assert.deepEqual([error?.code, error?.reason], [5, "OPERATION_NOT_FOUND"]);
      const open = openWatch(eve, transport, { names: [name, absent], initial: true });
      await open.until("the end of the snapshot", () => open.messages.some(({ initialEnd }) => initialEnd));
      const shapes = open.events.map(({ name: own, ...rest }) => [own, rest] as const);
      assert.deepEqual(new Set(shapes.map(([own]) => own)), new Set([name, absent]));
      assert.deepEqual(shapes[0]?.[1], shapes[1]?.[1]);
      // A change of it is told to its own tenant, and a change of eve's comes after it.
      must(await callNative(client("ada"), "rest", "cancelOperation", { name }));
      const everything = await openWatch(eve, transport, {}).begun();
      const own = String(
        must(await callNative(eve, "rest", "startOperation", { type: "test.parked" }))["name"],
      );
      await everything.tells(own, "PENDING");
      assert.ok(everything.told.every((one) => !one.startsWith(name)));
      assert.equal(open.events.length, 2);
      const stolen = await openWatch(client("ada"), transport, { resumeToken: everything.token }).ended;
      assert.deepEqual([stolen?.code, stolen?.reason], [3, "INVALID_RESUME_TOKEN"]);
      for (const each of [open, everything]) each.close();
    });

    test("limited grants reach their parent alone, in every method that takes a collection", async () => {
      const pat = client("pat");
      const inside = await start("default", "projects/p");
      for (const [method, request] of [
        ["listOperations", {}],
        ["listOperations", { parent: "projects/q" }],
        ["cancelOperations", { filter: "done = false" }],
        ["listWorkers", {}],
        ["exportReceipts", {}],
      ] as const) {
        assert.equal(
          refusal(await callNative(pat, transport, method, request)),
          "7 IAM_PERMISSION_DENIED",
          method,
        );
      }
      for (const request of [{}, { parent: "projects/q" }, { names: [inside, "operations/none"] }]) {
        const error = await openWatch(pat, transport, request).ended;
        assert.equal(error?.reason, "IAM_PERMISSION_DENIED");
      }
      const open = openWatch(pat, transport, { parent: "projects/p", initial: true });
      await open.tells(inside, "PENDING");
      open.close();
    });

    test("a worker's credential opens none of the methods", async () => {
      const name = await start();
      for (const method of Object.keys(places) as NativeMethod[]) {
        // Refused before it is read: a request that is no good is no reason.
        const reply = await callNative(
          client("worker"),
          transport,
          method,
          transport === "rest" ? { name } : {},
        );
        assert.equal(refusal(reply), "7 WORKER_CREDENTIAL", method);
      }
      const error = await openWatch(client("worker"), transport, { names: [name] }).ended;
      assert.equal(error?.reason, "WORKER_CREDENTIAL");
    });
  });
}

const others: readonly [service: string, desc: DescService][] = [
  ["default", NativeOperations],
  ["default", OperationStarter],
  ["default", Operations],
  ["vault", Operations],
  ["yandex", OperationService],
];
for (const [service, desc] of others) {
  test(`a worker's credential opens no method of ${desc.typeName} at ${service}`, async () => {
    const worker = client("worker", service);
    for (const method of desc.methods.filter(({ methodKind }) => methodKind === "unary")) {
      assert.equal(refusal(await worker.grpc(method, {})), "7 WORKER_CREDENTIAL", method.name);
    }
  });
}

/** The reason for which a worker's stream ends; null if it is welcome. */
async function workAs(caller: string, types: readonly string[]): Promise<string | null> {
  const worker = new RawWorker(world.address, caller);
  worker.hello({ types: types.map((type) => ({ type })) });
  const welcome = worker.next("welcome").then(
    () => null,
    () => "no welcome",
  );
  const error = await Promise.race([worker.ended, welcome]);
  if (error === null || error === "no welcome") {
    await worker.bye();
    return error;
  }
  return errorOfGrpc(error as never, (error as unknown as { metadata: never }).metadata).reason;
}

test("only a worker's credential works, for its own types alone", async () => {
  assert.equal(await workAs("worker", ["test.raw"]), null);
  assert.equal(await workAs("worker", ["test.raw", "test.other"]), "WORK_REFUSED");
  assert.equal(await workAs("ada", ["test.raw"]), "WORK_REFUSED");
});

describe("on behalf of, by header", () => {
  const header = { "x-belay-on-behalf-of": "user:bob" };
  const receiptOf = async (service: string, name: string): Promise<JsonObject> =>
    must(await callNative(client("ada", service), "rest", "getReceipt", { name }));
  for (const [service, prefix] of [
    ["default", "/v1"],
    ["vault", "/v1"],
    ["yandex", ""],
  ] as const) {
    test(`${service}: it is on the receipt, and too long a one is refused, on both transports`, async () => {
      const ada = client("ada", service);
      const cancels: readonly ((name: string, metadata: Record<string, string>) => Promise<WireReply>)[] = [
        (name, headers) => ada.rest("POST", `${prefix}/${name}:cancel`, { headers }),
        (name, metadata) =>
          service === "yandex"
            ? ada.grpc(
                OperationService.method.cancel,
                { operationId: name.split("/").at(-1) ?? "" },
                { metadata },
              )
            : ada.grpc(Operations.method.cancelOperation, { name }, { metadata }),
      ];
      for (const cancel of cancels) {
        const name = await start(service);
        const tooLong = await cancel(name, { "x-belay-on-behalf-of": "x".repeat(257) });
        assert.equal(refusal(tooLong), "3 INVALID_FIELD");
        must(await cancel(name, header));
        const { onBehalfOf, requestedBy } = await receiptOf(service, name);
        assert.deepEqual([onBehalfOf, requestedBy], ["user:bob", "user:ada"]);
      }
    });
  }
});
