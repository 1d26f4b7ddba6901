// The REST paths of OperationService: GET and POST cancel, HEAD never does, the verb may come escaped, and what a
// service may switch off.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { operationOf, startYandexWorld, type YandexWorld } from "./yandex-world.ts";

let world: YandexWorld;
before(async () => {
  world = await startYandexWorld();
});
after(() => world[Symbol.asyncDispose]());

const json = { "content-type": "application/json" };

/** Whether a cancel was ever requested, asked past the wire. */
async function isCancelled(service: string, id: string): Promise<boolean> {
  const stored = await world.engine.get({ service, tenant: "default", name: `operations/${id}` });
  return stored.record.cancel !== null;
}

const cancels: readonly [string, string, string, { body?: string; headers?: Record<string, string> }][] = [
  ["GET", "GET", ":cancel", {}],
  ["GET with an escaped colon", "GET", "%3Acancel", {}],
  ["GET with an escaped colon in lower case", "GET", "%3acancel", {}],
  ["GET with {} as body", "GET", ":cancel", { body: "{}", headers: { ...json, "content-length": "2" } }],
  ["POST without a body", "POST", ":cancel", {}],
  ["POST with content-length 0", "POST", ":cancel", { headers: { "content-length": "0" } }],
  ["POST with {} as body", "POST", ":cancel", { body: "{}", headers: json }],
  ["POST with an escaped colon", "POST", "%3Acancel", {}],
  ["POST with ?alt=json", "POST", ":cancel?alt=json", {}],
];
for (const [what, method, verb, options] of cancels) {
  test(`${what} cancels, and answers 200 with the Operation`, async () => {
    const id = await world.startRunning("ocr");
    const reply = await world.rest("ocr", method, `/operations/${id}${verb}`, options);
    assert.equal(operationOf(reply).id, id);
    assert.equal(reply.headers["belay-cancel-verdict"], "STOPPING");
    assert.equal(reply.headers["content-type"], "application/json; charset=utf-8");
    assert.equal(reply.headers["cache-control"], "no-store");
    assert.ok(await isCancelled("ocr", id));
  });
}

test("POST takes an operationId that is unset in its body: empty or null", async () => {
  for (const body of ['{"operationId":""}', '{"operationId":null}', '{"operation_id":""}']) {
    const id = await world.startRunning("ocr");
    const reply = await world.rest("ocr", "POST", `/operations/${id}:cancel`, { body, headers: json });
    assert.equal(operationOf(reply).id, id);
  }
});

test("POST takes the same operationId in its body, by either name, and refuses another", async () => {
  for (const name of ["operationId", "operation_id"]) {
    const id = await world.startRunning("ocr");
    const body = JSON.stringify({ [name]: id });
    const reply = await world.rest("ocr", "POST", `/operations/${id}:cancel`, { body, headers: json });
    assert.equal(operationOf(reply).id, id);
  }
  const id = await world.startRunning("ocr");
  const other = { body: '{"operationId":"ocr00000000000000000"}', headers: json };
  assert.equal((await world.rest("ocr", "POST", `/operations/${id}:cancel`, other)).status, 400);
  assert.ok(!(await isCancelled("ocr", id)));
  world.finish(id);
});

const refused: readonly [
  string,
  string,
  { body?: string; headers?: Record<string, string> },
  number,
  string,
][] = [
  ["an unknown field", "POST", { body: '{"force":true}', headers: json }, 400, "INVALID_JSON"],
  ["a body that is no object", "POST", { body: "[]", headers: json }, 400, "INVALID_JSON"],
  ["broken JSON", "POST", { body: "{", headers: json }, 400, "INVALID_JSON"],
  [
    "a body on GET",
    "GET",
    { body: '{"force":true}', headers: { ...json, "content-length": "14" } },
    400,
    "INVALID_JSON",
  ],
  [
    "a form",
    "POST",
    { body: "a=b", headers: { "content-type": "application/x-www-form-urlencoded" } },
    415,
    "CONTENT_TYPE_REFUSED",
  ],
];
for (const [what, method, options, status, reason] of refused) {
  test(`cancel with ${what} is refused, and cancels nothing`, async () => {
    const id = await world.startRunning("ocr");
    const reply = await world.rest("ocr", method, `/operations/${id}:cancel`, options);
    const { details } = JSON.parse(reply.text) as { details: { reason?: string }[] };
    assert.deepEqual([reply.status, details[0]?.reason], [status, reason]);
    assert.ok(!(await isCancelled("ocr", id)));
    world.finish(id);
  });
}

test("a body that is too deep or too large is refused before it is looked at", async () => {
  const id = await world.startRunning("ocr");
  const bodies: readonly [string, number, number][] = [
    [`{"operationId":${"[".repeat(200)}${"]".repeat(200)}}`, 400, 3],
    [`{"operationId":"${"x".repeat(2_000_000)}"}`, 413, 3],
  ];
  for (const [body, status, code] of bodies) {
    const reply = await world.rest("ocr", "POST", `/operations/${id}:cancel`, { body, headers: json });
    assert.deepEqual([reply.status, (JSON.parse(reply.text) as { code: number }).code], [status, code]);
  }
  assert.ok(!(await isCancelled("ocr", id)));
  world.finish(id);
});

test("an escaped percent sign is part of the id, not of the verb", async () => {
  const id = await world.startRunning("ocr");
  const reply = await world.rest("ocr", "GET", `/operations/${id}%253Acancel`);
  assert.equal(reply.status, 404);
  assert.ok(!(await isCancelled("ocr", id)));
  world.finish(id);
});

test("HEAD reads an operation, and never cancels one", async () => {
  const id = await world.startRunning("ocr");
  const head = await world.rest("ocr", "HEAD", `/operations/${id}`);
  assert.deepEqual([head.status, head.text], [200, ""]);
  for (const verb of [":cancel", "%3Acancel"]) {
    const reply = await world.rest("ocr", "HEAD", `/operations/${id}${verb}`);
    assert.deepEqual([reply.status, reply.headers["allow"]], [405, "GET, POST"]);
  }
  assert.ok(!(await isCancelled("ocr", id)));
  world.finish(id);
});

test("other methods are 405 with what is allowed", async () => {
  const id = await world.startRunning("ocr");
  for (const method of ["PUT", "DELETE", "PATCH"]) {
    const cancel = await world.rest("ocr", method, `/operations/${id}:cancel`);
    assert.deepEqual([cancel.status, cancel.headers["allow"]], [405, "GET, POST"], method);
    const get = await world.rest("ocr", method, `/operations/${id}`);
    assert.deepEqual([get.status, get.headers["allow"]], [405, "GET, HEAD"], method);
  }
  assert.ok(!(await isCancelled("ocr", id)));
  world.finish(id);
});

test("with GET switched off GET is 405 and cancels nothing; POST cancels", async () => {
  const id = await world.startRunning("strict");
  for (const verb of [":cancel", "%3Acancel"]) {
    const reply = await world.rest("strict", "GET", `/operations/${id}${verb}`);
    assert.deepEqual([reply.status, reply.headers["allow"]], [405, "POST"]);
    assert.equal(
      (JSON.parse(reply.text) as { message: string }).message,
      `GET is not served at /operations/${id}${verb}; it takes POST`,
    );
  }
  assert.ok(!(await isCancelled("strict", id)));
  assert.equal((await world.rest("strict", "POST", `/operations/${id}:cancel`)).status, 200);
  assert.ok(await isCancelled("strict", id));
});

const guarded: readonly [string, Record<string, string>, string][] = [
  ["Sec-Purpose: prefetch", { "sec-purpose": "prefetch" }, "PREFETCH_REFUSED"],
  ["Sec-Purpose: prefetch;prerender", { "sec-purpose": "prefetch;prerender" }, "PREFETCH_REFUSED"],
  ["Purpose: prefetch", { purpose: "prefetch" }, "PREFETCH_REFUSED"],
  ["Sec-Fetch-Site: cross-site", { "sec-fetch-site": "cross-site" }, "CROSS_SITE_REFUSED"],
  ["Sec-Fetch-Site: same-site", { "sec-fetch-site": "same-site" }, "CROSS_SITE_REFUSED"],
  ["a foreign Origin", { origin: "https://evil.example" }, "CROSS_SITE_REFUSED"],
];
for (const [what, headers, reason] of guarded) {
  test(`the GET that cancels refuses ${what}`, async () => {
    const id = await world.startRunning("ocr");
    const reply = await world.rest("ocr", "GET", `/operations/${id}:cancel`, { headers });
    const { code, details } = JSON.parse(reply.text) as { code: number; details?: { reason?: string }[] };
    assert.deepEqual([reply.status, code, details?.[0]?.reason], [403, 7, reason]);
    assert.equal(reply.headers["cache-control"], "no-store");
    assert.ok(!(await isCancelled("ocr", id)));
    world.finish(id);
  });
}

test("Get suggests when to poll again, and every answer names its request", async () => {
  const id = await world.startDone("ocr");
  const get = await world.rest("ocr", "GET", `/operations/${id}`);
  assert.equal(get.headers["x-operation-poll-interval"], "3");
  assert.match(get.headers["x-request-id"] ?? "", /./);
  const own = await world.rest("ocr", "GET", `/operations/${id}`, { headers: { "x-request-id": "mine-1" } });
  assert.equal(own.headers["x-request-id"], "mine-1");
  const absent = await world.rest("ocr", "GET", "/operations/ocr00000000000000000");
  assert.equal(absent.headers["x-operation-poll-interval"], undefined);
  assert.match(absent.headers["x-request-id"] ?? "", /./);
  assert.equal(
    (await world.rest("strict", "GET", `/operations/${id}`)).headers["x-operation-poll-interval"],
    undefined,
  );
});

test("an Idempotency-Key on cancel changes nothing: cancel is idempotent", async () => {
  const id = await world.startRunning("ocr", "test.stubborn");
  const headers = { "idempotency-key": "5f0c1a52-8a1e-4d0e-9d62-0d1f4c7f3b1a" };
  const verdicts: (string | undefined)[] = [];
  for (let call = 0; call < 2; call++) {
    const reply = await world.rest("ocr", "GET", `/operations/${id}:cancel`, { headers });
    verdicts.push(reply.headers["belay-cancel-verdict"]);
  }
  assert.deepEqual(verdicts, ["STOPPING", "ALREADY_STOPPING"]);
  world.finish(id);
});
