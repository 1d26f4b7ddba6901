// The requests of the services' own pages, typed with curl exactly as the pages give them, over HTTP/1.1 in clear and with
// TLS, on the one port that tells the services apart by their hosts.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type BelayServer, type Start, startBelay } from "./belay-server.ts";
import { type Curl, curlOf, curlVersion } from "./curl-client.ts";
import { idOf } from "./heartbeat.ts";
import { makeCertificate, type TlsFiles } from "./tls-files.ts";

const CANCELLED = 1;
const PATIENCE_MS = 15_000;

const json = ["-H", "content-type: application/json"];
const post = ["-X", "POST"];

interface Page {
  title: string;
  host: string;
  start: Start;
  /** The path of an operation by its name. */
  path(name: string): string;
  /** The list of operations; null where the API has none. */
  list: string | null;
  absent: string;
}

const pages: readonly Page[] = [
  {
    title: "Cloud AutoML Vision, projects.locations.operations.cancel",
    host: "automl.googleapis.com",
    start: {
      type: "automl.create-model",
      parent: "projects/p1/locations/us-central1",
      payload: { model: { displayName: "hold" } },
    },
    path: (name) => `/v1beta1/${name}`,
    list: "/v1beta1/projects/p1/locations/us-central1/operations",
    absent: "/v1beta1/projects/p1/locations/us-central1/operations/aml00000000000000000",
  },
  {
    title: "Video Creative Ingest, operations.cancel",
    host: "dai.googleapis.com",
    start: { type: "dai.ingest" },
    path: (name) => `/v1/${name}`,
    list: "/v1/operations",
    absent: "/v1/operations/dai00000000000000000",
  },
  {
    title: "Vault, operations.cancel",
    host: "vault.googleapis.com",
    start: { type: "vault.count" },
    path: (name) => `/v1/${name}`,
    list: "/v1/operations",
    absent: "/v1/operations/vlt00000000000000000",
  },
  {
    title: "Vision OCR, Operation.Cancel",
    host: "operation.api.cloud.yandex.net",
    start: { type: "interop.work" },
    path: (name) => `/operations/${idOf(name)}`,
    list: null,
    absent: "/operations/ybl00000000000000000",
  },
];

let server: BelayServer;
let tls: TlsFiles;
before(async () => {
  tls = await makeCertificate();
  const { certFile, keyFile } = tls;
  server = await startBelay({ config: { tls: { certFile, keyFile } } });
});
after(async () => {
  await server.stop();
  tls.remove();
});

interface Operation {
  name?: string;
  id?: string;
  done?: boolean;
  error?: { code: number; message: string; details?: unknown[] };
  operations?: Operation[];
}

test("curl is there", async (t) => {
  t.diagnostic(await curlVersion());
});

for (const scheme of ["http", "https"] as const) {
  describe(scheme, () => {
    let curl: Curl;
    before(() => {
      curl = curlOf(server, scheme === "https" ? { ca: tls.ca } : {});
    });

    for (const page of pages) {
      const origin = `${scheme}://${page.host}`;
      const isYandex = page.list === null;

      async function begin(): Promise<{ name: string; url: string; pid: number }> {
        const { status, text } = await curl(
          `${origin}/belay/v1/operations`,
          ...json,
          "-d",
          JSON.stringify(page.start),
        );
        assert.equal(status, 200, text);
        const { name = "" } = JSON.parse(text) as Operation;
        return { name, url: origin + page.path(name), pid: await server.heartbeats.working(name) };
      }

      async function get(url: string): Promise<Operation> {
        const { status, text } = await curl(url);
        assert.equal(status, 200, text);
        return JSON.parse(text) as Operation;
      }

      async function assertCancelled(name: string, url: string, pid: number): Promise<void> {
        let operation = await get(url);
        for (const end = performance.now() + PATIENCE_MS; !operation.done; operation = await get(url))
          assert.ok(performance.now() < end, `${name} is not done`);
        await server.heartbeats.assertStopped(name, pid);
        assert.equal(operation.error?.code, CANCELLED);
        assert.deepEqual(operation.error?.details ?? [], []);
        assert.ok(!("response" in operation));
      }

      // Side by side: most of their time is a silence that is listened to.
      describe(page.title, { concurrency: 4 }, () => {
        const googleWays: [string, string[]][] = [
          ["POST without a body", post],
          ["POST with an empty body, declared as JSON", [...json, "-d", ""]],
          ["POST with {}", [...json, "-d", "{}"]],
        ];
        const yandexWays: [string, string[]][] = [["GET, as the page says", []], ...googleWays];
        for (const [way, args] of isYandex ? yandexWays : googleWays) {
          test(`${way} cancels and stops the work`, async () => {
            const { name, url, pid } = await begin();
            const { version, status, headers, text } = await curl(`${url}:cancel`, ...args);
            assert.deepEqual([version, status], ["HTTP/1.1", 200], text);
            assert.match(headers["content-type"] ?? "", /^application\/json/);
            assert.equal(headers["cache-control"], "no-store");
            if (isYandex) assert.equal((JSON.parse(text) as Operation).id, idOf(name));
            else assert.equal(text.trim(), "{}");
            await assertCancelled(name, url, pid);
          });
        }

        test("an absent operation is 404", async () => {
          for (const [suffix, args] of [
            ["", []],
            [":cancel", post],
          ] as const) {
            const { status, text } = await curl(origin + page.absent + suffix, ...args);
            assert.equal(status, 404, text);
            const body = JSON.parse(text) as { code?: number; error?: { code: number; status: string } };
            if (isYandex) assert.equal(body.code, 5);
            else assert.deepEqual([body.error?.code, body.error?.status], [404, "NOT_FOUND"]);
          }
        });

        if (isYandex) {
          test("%3Acancel is :cancel", async () => {
            const { name, url, pid } = await begin();
            const { status, text } = await curl(`${url}%3Acancel`);
            assert.equal(status, 200, text);
            await assertCancelled(name, url, pid);
          });

          test("the answer has the page's fields, and done when it is false", async () => {
            const { name, url, pid } = await begin();
            const running = await get(url);
            assert.deepEqual(Object.keys(running), [
              "id",
              ...("description" in running ? ["description"] : []),
              "createdAt",
              "createdBy",
              "modifiedAt",
              "done",
            ]);
            assert.equal(running.done, false);
            await curl(`${url}:cancel`);
            await assertCancelled(name, url, pid);
          });

          test("HEAD cancels nothing, and neither does what a browser sends by itself", async () => {
            const { name, url, pid } = await begin();
            assert.notEqual((await curl(`${url}:cancel`, "--head")).status, 200);
            for (const header of [
              "sec-fetch-site: cross-site",
              "purpose: prefetch",
              "origin: https://example.com",
            ])
              assert.equal((await curl(`${url}:cancel`, "-H", header)).status, 403, header);
            assert.equal((await get(url)).done, false);
            await curl(`${url}:cancel`, ...post);
            await assertCancelled(name, url, pid);
          });
        } else {
          test("GET cancels nothing", async () => {
            const { name, url, pid } = await begin();
            assert.ok([404, 405].includes((await curl(`${url}:cancel`)).status));
            assert.ok(!(await get(url)).done);
            await curl(`${url}:cancel`, ...post);
            await assertCancelled(name, url, pid);
          });

          test("list shows the operation until delete hides it", async () => {
            const { name, url } = await begin();
            const listed = async (): Promise<boolean> => {
              const body = await get(`${origin}${page.list}?pageSize=1000`);
              return body.operations?.some((operation) => operation.name === name) === true;
            };
            assert.ok(await listed());
            const deleted = await curl(url, "-X", "DELETE");
            assert.deepEqual([deleted.status, deleted.text.trim()], [200, "{}"]);
            assert.ok(!(await listed()));
            assert.equal((await curl(url)).status, 404);
          });
        }
      });
    }
  });
}
