import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { instruments } from "../../base/telemetry.ts";
import { startTestServer, type TestServer } from "../../testing/test-server.ts";
import { defineOperation } from "../../worker/worker.ts";
import type { StaticTokenConfig } from "../auth/auth-config.ts";
import { METRICS_SCOPE } from "./metrics-page.ts";
import { prometheusName } from "./prometheus-text.ts";

const operations = [
  defineOperation({ type: "test.done" }, async () => ({})),
  defineOperation({ type: "test.waits" }, async ({ signal }) => {
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  }),
];
const root = join(import.meta.dirname, "../../..");

let server: TestServer;
before(async () => {
  server = await startTestServer({ operations });
});
after(() => server.close());

async function post(path: string, body: object): Promise<{ name: string }> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  return (await response.json()) as { name: string };
}

async function page(): Promise<string> {
  const response = await fetch(`${server.url}/metrics`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return await response.text();
}

test("the page counts what happened before it was first asked for", async () => {
  const { name: done } = await post("/belay/v1/operations", { type: "test.done" });
  await post(`/belay/v1/${done}:wait`, { timeout: "10s" });
  const { name } = await post("/belay/v1/operations", { type: "test.waits" });
  await post(`/belay/v1/${name}:cancel`, { wait: "10s" });
  await post("/belay/v1/operations", { type: "test.unknown" });
  const text = await page();
  const lines = [
    'belay_operations_started_total{service="default",type="test.done"} 1',
    'belay_operations_ended_total{service="default",type="test.done",state="SUCCEEDED"} 1',
    'belay_operations_ended_total{service="default",type="test.waits",state="CANCELLED"} 1',
    'belay_cancel_latency_seconds_count{service="default",phase="ended"} 1',
    'belay_cancels_requested_total{service="default",cause="cancel"} 1',
    'belay_rpc_calls_total{service="default",method="belay.v1.Operations/StartOperation",code="OK"} 2',
    'belay_rpc_calls_total{service="default",method="belay.v1.Operations/StartOperation",code="INVALID_ARGUMENT"} 1',
    'belay_rpc_duration_seconds_count{service="default",method="belay.v1.Operations/StartOperation"} 3',
    'belay_sessions{kind="embedded"} 1',
    "belay_attempts_held 0",
  ];
  for (const line of lines) assert.ok(text.split("\n").includes(line), `${line}\n\n${text}`);
});

test("live operations and the age of the queue are read from the store", async () => {
  await post("/belay/v1/operations", { type: "test.waits", startDelay: "1000s" });
  const { name } = await post("/belay/v1/operations", { type: "test.waits" });
  const live = 'belay_operations_live{service="default",type="test.waits",state="PENDING"} 1';
  assert.ok((await page()).includes(live));
  await post(`/belay/v1/${name}:cancel`, { wait: "10s" });
});

/** The metrics that a text names, without the suffixes of a histogram. */
function namedIn(text: string): Set<string> {
  const names = [...text.matchAll(/\bbelay_[a-z_]+/g)].map(([name]) => name);
  return new Set(names.map((name) => name.replace(/_(bucket|sum|count)$/, "")));
}

test("every metric of the dashboard is one that a running server exports, and none is left out of it", async () => {
  const text = await page();
  const exported = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = ""]) => name));
  const dashboard = readFileSync(join(root, "dashboards/belay-grafana.json"), "utf8");
  const panels = (JSON.parse(dashboard) as { panels: { targets?: { expr: string }[] }[] }).panels;
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  assert.ok(expressions.length > 25);
  const shown = namedIn(expressions.join("\n"));
  assert.deepEqual(
    [...shown].filter((name) => !exported.has(name)),
    [],
  );
  assert.deepEqual(
    [...exported].filter((name) => !shown.has(name)),
    [],
  );
});

test("the guide names every metric with its labels, and no other one", () => {
  const guide = readFileSync(join(root, "docs/guide/observability.md"), "utf8");
  const rows = new Map(
    [...guide.matchAll(/^\| `(belay_\w+)` \|([^|]*)\|/gm)].map(([, name = "", labels = ""]) => [
      name,
      labels.trim(),
    ]),
  );
  const table = Object.values(instruments).map(
    (instrument) => [prometheusName(instrument), instrument.labels.join(", ")] as const,
  );
  assert.deepEqual([...rows].sort(), [...table].sort());
  const known = new Set(table.map(([name]) => name));
  const alerts = readFileSync(join(root, "docs/guide/production.md"), "utf8");
  assert.deepEqual(
    [...namedIn(guide), ...namedIn(alerts)].filter((name) => !known.has(name)),
    [],
  );
});

test("it is read, not written", async () => {
  const posted = await fetch(`${server.url}/metrics`, { method: "POST", body: "{}" });
  assert.equal(posted.status, 405);
  assert.equal((await fetch(`${server.url}/metrics?x=1`)).status, 200);
  assert.equal((await fetch(`${server.url}/metrics/more`)).status, 404);
});

test("with identity it is for a credential that nothing limits, or that has the scope for it", async () => {
  const token = (name: string): string => `${name}-token-of-forty-characters-0123456789`;
  const all = { tenant: "default", scopes: null, grants: null };
  const entry = (name: string, limits: Partial<StaticTokenConfig> = {}): StaticTokenConfig => {
    const sha256 = hash("sha256", token(name));
    return { ...all, ...limits, sha256, principal: `user:${name}` };
  };
  const staticTokens = [
    entry("free"),
    entry("scoped", { scopes: [METRICS_SCOPE], grants: ["projects/p"] }),
    entry("other", { scopes: ["https://www.googleapis.com/auth/cloud-platform"] }),
    entry("granted", { grants: ["projects/p"] }),
    entry("worker", { worker: { types: ["*"] } }),
  ];
  const none = { issuers: [], serviceAccounts: [], iam: null, development: false };
  await using secured = await startTestServer({ operations, auth: { ...none, staticTokens } });
  const statusOf = async (name: string | null): Promise<number> => {
    const headers: Record<string, string> = name === null ? {} : { authorization: `Bearer ${token(name)}` };
    return (await fetch(`${secured.url}/metrics`, { headers })).status;
  };
  assert.deepEqual(
    {
      none: await statusOf(null),
      unknown: await statusOf("unknown"),
      free: await statusOf("free"),
      scoped: await statusOf("scoped"),
      other: await statusOf("other"),
      granted: await statusOf("granted"),
      worker: await statusOf("worker"),
    },
    { none: 401, unknown: 401, free: 200, scoped: 200, other: 403, granted: 403, worker: 403 },
  );
});
