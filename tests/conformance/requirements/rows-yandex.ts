// R20-R23: yandex.cloud.operation.OperationService and the conventions around it.
import assert from "node:assert/strict";
import type { WireReply } from "../wire/wire-client.ts";
import { type Case, disk, grpc, type Row, rest, rows, yandex } from "./row.ts";
import { idempotencyKey } from "./rows-starts.ts";
import { listOfDisk, resize } from "./started-apis.ts";
import { freshName } from "./suite-services.ts";
import { idOf, must, refusal, type Surface } from "./surface.ts";

const getByGet = (at: Surface, target: string, headers = {}): Promise<WireReply> =>
  at.client.rest("GET", target, { headers });

const shape: Case[] = [
  {
    method: "Get",
    input: "a running and a cancelled operation",
    expected: "id, description, createdAt, createdBy, modifiedAt, done, then error alone",
    async check(at) {
      const { name } = await at.startRunning("suite.hold", { description: "a scan" });
      const fields = ["createdAt", "createdBy", "description", "id", "modifiedAt"];
      const running = must(await at.get(name));
      assert.deepEqual(
        Object.keys(running)
          .filter((field) => field !== "done")
          .sort(),
        fields,
      );
      assert.deepEqual(
        [running["id"], running["description"], running["createdBy"]],
        [idOf(name), "a scan", "user:ada"],
      );
      must(await at.cancel(name));
      const { json } = await at.ended(name);
      assert.deepEqual(Object.keys(json).sort(), [
        "createdAt",
        "createdBy",
        "description",
        "done",
        "error",
        "id",
        "modifiedAt",
      ]);
    },
  },
  {
    method: "Cancel",
    input: "a running operation",
    expected: "the Operation, not Empty",
    async check(at) {
      const { name, open } = await at.startRunning("suite.stubborn");
      assert.equal(at.shown(await at.cancel(name)).name, name);
      await open();
    },
  },
  {
    method: "Start",
    input: "a description of 256 and of 257 characters",
    expected: "the first is kept, the second INVALID_ARGUMENT",
    async check(at) {
      const name = await at.startDone("suite.echo", { description: "x".repeat(256) });
      assert.equal(must(await at.get(name))["description"], "x".repeat(256));
      const reply = await at.startReply("suite.echo", { description: "x".repeat(257) });
      assert.equal(refusal(reply), "3 INVALID_FIELD");
    },
  },
];

const missingId: Case = {
  method: "Get, Cancel",
  input: "no operation_id",
  expected: "INVALID_ARGUMENT",
  async check(at) {
    assert.equal(refusal(await at.get("operations/")), "3 INVALID_FIELD");
    assert.equal(refusal(await at.cancel("operations/")), "3 INVALID_FIELD");
  },
};

const fieldNumbers: Case = {
  method: "Get",
  input: "operation_id=1 as bytes",
  expected: "id=1, created_by=4 and done=6 in the answer's bytes",
  async check(at) {
    const id = idOf(await at.startDone());
    const request = Buffer.concat([Buffer.from([0x0a, id.length]), Buffer.from(id)]);
    const reply = await at.client.grpcBytes("/yandex.cloud.operation.OperationService/Get", request);
    const hex = reply.bytes.toString("hex");
    assert.ok(hex.startsWith(`0a${id.length.toString(16)}${Buffer.from(id).toString("hex")}`));
    assert.ok(hex.includes(`22${"08"}${Buffer.from("user:ada").toString("hex")}`));
    assert.ok(hex.includes("3001"));
  },
};

const cancelByGet: Case[] = [
  {
    method: "Cancel",
    input: "GET /operations/{operation_id}:cancel",
    expected: "200 with the Operation, Cache-Control: no-store",
    async check(at) {
      const { name } = await at.startRunning();
      const reply = await getByGet(at, `/${name}:cancel`);
      assert.equal(at.shown(reply).name, name);
      assert.equal(reply.headers["cache-control"], "no-store");
      assert.equal((await at.ended(name)).error?.code, 1);
    },
  },
  {
    method: "Cancel",
    input: "POST /operations/{operation_id}:cancel",
    expected: "the same",
    async check(at) {
      const { name } = await at.startRunning();
      const reply = await at.client.rest("POST", `/${name}:cancel`);
      assert.equal(at.shown(reply).name, name);
      assert.equal((await at.ended(name)).error?.code, 1);
    },
  },
  {
    method: "Cancel",
    input: "HEAD",
    expected: "405, and nothing is cancelled",
    async check(at) {
      const { name, open } = await at.startRunning();
      const reply = await at.client.rest("HEAD", `/${name}:cancel`);
      assert.deepEqual([reply.httpStatus, reply.headers["allow"]], [405, "GET, POST"]);
      assert.equal((await at.native(name))["cancellation"], undefined);
      await open();
    },
  },
  ...(
    [
      [{ "sec-purpose": "prefetch" }, "7 PREFETCH_REFUSED"],
      [{ purpose: "prefetch" }, "7 PREFETCH_REFUSED"],
      [{ "sec-fetch-site": "cross-site" }, "7 CROSS_SITE_REFUSED"],
      [{ origin: "https://evil.example" }, "7 CROSS_SITE_REFUSED"],
    ] as const
  ).map(
    ([headers, expected]): Case => ({
      method: "Cancel",
      input: `GET with ${Object.entries(headers)[0]?.join(": ")}`,
      expected: "PERMISSION_DENIED, and nothing is cancelled",
      async check(at) {
        const { name, open } = await at.startRunning();
        assert.equal(refusal(await getByGet(at, `/${name}:cancel`, headers)), expected);
        assert.equal((await at.native(name))["cancellation"], undefined);
        await open();
      },
    }),
  ),
];

const neverEarly: Case = {
  method: "Get, Cancel",
  input: "work that is being cancelled",
  expected: "done=false without error until the end",
  async check(at) {
    const { name, open } = await at.startRunning("suite.stubborn");
    for (const reply of [await at.cancel(name), await at.get(name), await at.cancel(name)]) {
      const { done, error, response } = at.shown(reply);
      assert.deepEqual([done, error, response], [false, null, null]);
    }
    await open();
    assert.equal((await at.ended(name)).error, null);
  },
};

const perResource: Case = {
  method: "ListOperations",
  input: "two operations of one disk, one of another",
  expected: "those of the disk",
  async check(at) {
    const diskId = freshName("d").slice(0, 40);
    const ids = [];
    for (const size of ["1", "2"]) ids.push(must(await resize(at, { diskId, size }))["id"]);
    await resize(at, { diskId: "other", size: "1" });
    const { operations } = must(await listOfDisk(at, diskId)) as { operations: { id: string }[] };
    assert.deepEqual(operations.map(({ id }) => id).sort(), ids.sort());
  },
};

export const yandexRows: readonly Row[] = [
  ...rows(20, yandex, shape),
  ...rows(20, grpc("yandex"), [missingId, fieldNumbers]),
  ...rows(20, rest("yandex"), cancelByGet.slice(0, 1)),
  ...rows(21, rest("yandex"), cancelByGet),
  ...rows(22, yandex, [neverEarly]),
  ...rows(23, disk, [idempotencyKey, perResource]),
];
