// R28-R34: errors (AIP-193) and who sees which (AIP-211).
import assert from "node:assert/strict";
import { startTestServer } from "../../../src/testing/test-server.ts";
import { WireClient, type WireReply } from "../wire/wire-client.ts";
import { all, both, type Case, google, grpc, plain, type Row, rest, rows, yandex } from "./row.ts";
import type { Caller } from "./suite-services.ts";
import { idOf, must, pathOf, refusal, type Surface } from "./surface.ts";

type Failing = (at: Surface) => Promise<WireReply>;

/** A failing call with its code, HTTP status and reason. */
type Failure = readonly [
  method: string,
  input: string,
  code: number,
  httpStatus: number,
  reason: string,
  call: Failing,
];

const failures: readonly Failure[] = [
  ["Get", "an absent name", 5, 404, "OPERATION_NOT_FOUND", (at) => at.get(at.absentName)],
  ["Cancel", "an absent name", 5, 404, "OPERATION_NOT_FOUND", (at) => at.cancel(at.absentName)],
  ["Get", "no credential", 16, 401, "CREDENTIALS_MISSING", (at) => at.get(at.absentName, null)],
];

const googleFailures: readonly Failure[] = [
  ["Get", "a malformed name", 3, 400, "INVALID_NAME", (at) => at.get(`${at.collection}/A!`)],
  ["List", "page_size -1", 3, 400, "INVALID_FIELD", (at) => at.list({ pageSize: -1 })],
  [
    "List",
    "return_partial_success",
    12,
    501,
    "PARTIAL_SUCCESS_UNSUPPORTED",
    (at) => at.list({ returnPartialSuccess: true }),
  ],
  [
    "Delete",
    "a running operation that refuses it",
    9,
    400,
    "DELETE_REFUSED",
    async (at) => {
      const { name, open } = await at.startRunning("suite.keep");
      const reply = await at.delete(name);
      await open();
      return reply;
    },
  ],
  ["Get", "a name without a grant", 7, 403, "IAM_PERMISSION_DENIED", (at) => at.get("operations/x", "pat")],
];

const yandexFailures: readonly Failure[] = [
  ["Get", "an id of 51 characters", 3, 400, "INVALID_FIELD", (at) => at.get(`operations/${"a".repeat(51)}`)],
];

function codeCase([method, input, code, httpStatus, reason, call]: Failure): Case {
  return {
    method,
    input,
    expected: `${reason}: code ${code}, HTTP ${httpStatus}`,
    async check(at) {
      const reply = await call(at);
      assert.equal(refusal(reply), `${code} ${reason}`);
      if (at.transport === "rest") assert.equal(reply.httpStatus, httpStatus);
    },
  };
}

const bodyForm: Case = {
  method: "Get",
  input: "an absent name",
  expected: 'the body {"error": {"code": 404, "message", "status": "NOT_FOUND", "details"}}',
  async check(at) {
    const { text } = await at.get(at.absentName);
    const { error, ...rest_ } = JSON.parse(text) as { error: Record<string, unknown> };
    assert.deepEqual(rest_, {});
    assert.deepEqual(Object.keys(error), ["code", "message", "status", "details"]);
    assert.deepEqual([error["code"], error["status"]], [404, "NOT_FOUND"]);
  },
};

const bareForm: Case = {
  method: "Get",
  input: "an absent id",
  expected: 'the bare google.rpc.Status {"code": 5, "message", "details"}',
  async check(at) {
    const body = JSON.parse((await at.get(at.absentName)).text) as Record<string, unknown>;
    assert.deepEqual(Object.keys(body), ["code", "message", "details"]);
    assert.equal(body["code"], 5);
  },
};

const operationCode: Case = {
  method: "Get",
  input: "a cancelled operation",
  expected: "Operation.error.code is the gRPC number 1, not 499",
  async check(at) {
    const { name } = await at.startRunning();
    must(await at.cancel(name));
    assert.equal((await at.ended(name)).error?.code, 1);
  },
};

function detailsCase([method, input, , , , call]: Failure): Case {
  return {
    method,
    input,
    expected: "one ErrorInfo; each detail type once; its metadata repeats what is dynamic in the message",
    async check(at) {
      const { error } = await call(at);
      assert.ok(error);
      const types = error.details.map((detail) => detail["@type"]);
      assert.equal(types.filter((type) => type.endsWith("/google.rpc.ErrorInfo")).length, 1);
      assert.equal(new Set(types).size, types.length);
      assert.match(error.reason, /^[A-Z][A-Z0-9_]{0,61}[A-Z0-9]$/);
      assert.equal(error.domain, "belayd");
      for (const [key, value] of Object.entries(error.metadata)) {
        assert.match(key, /^[a-z][a-zA-Z0-9_-]{1,63}$/);
        assert.ok(error.message.includes(value), `${key}: ${value}`);
      }
      for (const part of [at.absentName, "-1"]) {
        if (error.message.includes(part)) {
          assert.ok(
            Object.values(error.metadata).some((value) => value.includes(part)),
            part,
          );
        }
      }
    },
  };
}

const fieldViolation: Case = {
  method: "List",
  input: "page_size -1",
  expected: "BadRequest names page_size",
  async check(at) {
    const { error } = await at.list({ pageSize: -1 });
    const detail = error?.details.find((one) => one["@type"].endsWith("/google.rpc.BadRequest"));
    assert.deepEqual(
      ((detail?.["fieldViolations"] ?? []) as { field: string }[]).map(({ field }) => field),
      ["page_size"],
    );
  },
};

const statusDetails: Case = {
  method: "Get",
  input: "an absent name",
  expected: "trailers only, details in grpc-status-details-bin",
  async check(at) {
    const { headers, trailers, error } = await at.get(at.absentName);
    assert.deepEqual(headers, {});
    assert.ok(trailers["grpc-status-details-bin"]);
    assert.equal(error?.details.length, 1);
  },
};

const requestInfo: Case = {
  method: "Get",
  input: "an absent id",
  expected: "RequestInfo has the request's id",
  async check(at) {
    const reply = await at.client.rest("GET", "/operations/x", { headers: { "x-request-id": "req-7" } });
    const detail = reply.error?.details.at(-1);
    assert.deepEqual(detail, { "@type": "type.googleapis.com/google.rpc.RequestInfo", requestId: "req-7" });
  },
};

const retryInfo: Case = {
  method: "List",
  input: "a server at its limit",
  expected: "RESOURCE_EXHAUSTED with RetryInfo, on REST with Retry-After",
  ownServer: "the server's limit must be 0",
  async check(at) {
    await using server = await startTestServer({ limits: { listsInFlightMax: 0 } });
    const client = new WireClient({ url: server.url, authority: null });
    const reply =
      at.transport === "rest"
        ? await client.rest("GET", "/v1/operations")
        : await client.grpcBytes("/google.longrunning.Operations/ListOperations", Buffer.alloc(0));
    client.close();
    assert.equal(refusal(reply), "8 OVERLOADED");
    assert.ok(reply.error?.details.some((one) => one["@type"].endsWith("/google.rpc.RetryInfo")));
    if (at.transport === "rest") assert.equal(reply.headers["retry-after"], "1");
  },
};

/** Each is wrong in all that comes after it in the order, too. */
const order: readonly [input: string, caller: Caller | null, id: string, expected: string][] = [
  ["no credential, a malformed name", null, "A!", "16 CREDENTIALS_MISSING"],
  ["no grant, a malformed name", "pat", "A!", "7 IAM_PERMISSION_DENIED"],
  ["no grant, an absent name", "pat", "opr00000000000000000", "7 IAM_PERMISSION_DENIED"],
  ["a permission, a malformed name", "ada", "A!", "3 INVALID_NAME"],
  ["a permission, an absent name", "ada", "opr00000000000000000", "5 OPERATION_NOT_FOUND"],
];

const orderCases: Case[] = order.map(([input, caller, id, expected]) => ({
  method: "Get, Cancel",
  input,
  expected,
  async check(at) {
    for (const call of ["get", "cancel"] as const) {
      assert.equal(refusal(await at[call](`operations/${id}`, caller)), expected);
    }
  },
}));

const scopeFirst: Case = {
  method: "Get",
  input: "no scope, a malformed name",
  expected: "7 ACCESS_TOKEN_SCOPE_INSUFFICIENT",
  async check(at) {
    assert.equal(refusal(await at.get("operations/A!", "nil")), "7 ACCESS_TOKEN_SCOPE_INSUFFICIENT");
  },
};

const bodyLast: Case = {
  method: "Cancel",
  input: "no grant, a body that is no JSON",
  expected: "7 IAM_PERMISSION_DENIED",
  async check(at) {
    const path = `${pathOf(at.service, "operations/x")}:cancel`;
    const reply = await at.target.client(at.service, "pat").rest("POST", path, { body: "{" });
    assert.equal(refusal(reply), "7 IAM_PERMISSION_DENIED");
  },
};

/** An answer without what differs between any two calls, its name taken out. */
function withoutName(reply: WireReply, name: string): string {
  const {
    date: _date,
    "x-request-id": requestId,
    "grpc-status-details-bin": _bytes,
    ...headers
  } = reply.trailers;
  const text = JSON.stringify([reply.httpStatus, headers, reply.text, reply.error]);
  return text.replaceAll(name, "NAME").replaceAll(idOf(name), "ID").replaceAll(String(requestId), "REQUEST");
}

const denied: Case = {
  method: "Get, Cancel",
  input: "a caller without a grant: a foreign, an absent and a malformed name",
  expected: "PERMISSION_DENIED in the same words",
  async check(at) {
    const { name, open } = await at.startRunning();
    for (const call of ["get", "cancel"] as const) {
      const seen: string[] = [];
      for (const asked of [name, at.absentName]) {
        const reply = await at[call](asked, "pat");
        assert.equal(
          reply.error?.message,
          `Permission 'operations.${call}' denied on resource '${asked}' (or it might not exist).`,
        );
        seen.push(withoutName(reply, asked));
      }
      assert.equal(seen[1], seen[0]);
    }
    assert.equal((await at.native(name))["state"], "RUNNING");
    await open();
  },
};

const otherTenant: Case = {
  method: "Get, Cancel",
  input: "a caller of another tenant who may list the parent",
  expected: "NOT_FOUND, as for an absent name",
  async check(at) {
    const { name, open } = await at.startRunning();
    for (const call of ["get", "cancel"] as const) {
      const [foreign, absent] = [await at[call](name, "eve"), await at[call](at.absentName, "eve")];
      assert.equal(refusal(foreign), "5 OPERATION_NOT_FOUND");
      assert.equal(withoutName(foreign, name), withoutName(absent, at.absentName));
    }
    assert.equal((await at.native(name))["state"], "RUNNING");
    await open();
  },
};

const ownPermission: Case[] = [
  {
    method: "Cancel, Get",
    input: "a token with the scope of Cancel alone",
    expected: "Cancel is OK, Get PERMISSION_DENIED",
    async check(at) {
      const { name } = await at.startRunning();
      must(await at.cancel(name, "cam"));
      assert.equal(refusal(await at.get(name, "cam")), "7 ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    },
  },
];

const reader: Case = {
  method: "Get, Cancel",
  input: "a token with the scope that reads alone",
  expected: "Get is OK, Cancel PERMISSION_DENIED, and nothing is cancelled",
  async check(at) {
    const { name, open } = await at.startRunning();
    must(await at.get(name, "rob"));
    assert.equal(refusal(await at.cancel(name, "rob")), "7 ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    assert.equal((await at.native(name))["state"], "RUNNING");
    await open();
  },
};

const tokenAuthority: Case = {
  method: "List",
  input: "another caller's page token",
  expected: "PERMISSION_DENIED without a grant, INVALID_ARGUMENT in another tenant",
  async check(at) {
    await at.startDone();
    await at.startDone();
    const { token } = await at.page({ pageSize: 1 });
    assert.equal(refusal(await at.list({ pageToken: token }, "pat")), "7 IAM_PERMISSION_DENIED");
    assert.equal(refusal(await at.list({ pageToken: token }, "eve")), "3 INVALID_PAGE_TOKEN");
  },
};

const rootGoogle = [...grpc("default", "vault", "dai"), ...rest("default", "vault", "dai")] as const;
const googlePlain = googleFailures.slice(0, 4);

export const errorRows: readonly Row[] = [
  ...rows(28, all, failures.map(codeCase)),
  ...rows(28, google, googlePlain.map(codeCase)),
  ...rows(28, rootGoogle, googleFailures.slice(4).map(codeCase)),
  ...rows(28, yandex, yandexFailures.map(codeCase)),
  ...rows(29, rest("default", "vault", "dai", "automl"), [bodyForm]),
  ...rows(29, rest("yandex"), [bareForm]),
  ...rows(29, both, [operationCode]),
  ...rows(30, both, failures.map(detailsCase)),
  ...rows(30, plain, googleFailures.map(detailsCase)),
  ...rows(31, google, [fieldViolation]),
  ...rows(31, grpc("default", "vault", "dai", "automl", "yandex"), [statusDetails]),
  ...rows(31, rest("yandex"), [requestInfo]),
  ...rows(31, plain, [retryInfo]),
  ...rows(32, rootGoogle, orderCases),
  ...rows(32, [...grpc("vault"), ...rest("vault")], [scopeFirst]),
  ...rows(32, rest("default", "vault", "dai"), [bodyLast]),
  ...rows(33, rootGoogle, [denied]),
  ...rows(33, all, [otherTenant]),
  ...rows(34, [...grpc("shop"), ...rest("shop")], ownPermission),
  ...rows(34, [...grpc("vault"), ...rest("vault")], [reader]),
  ...rows(34, rootGoogle, [tokenAuthority]),
];
