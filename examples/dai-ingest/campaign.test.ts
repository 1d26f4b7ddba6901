// dai.campaign as the worker runs it; how its children end is said by the test.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { JsonObject, OperationDefinition } from "belayd/worker";
import { ExampleRun } from "../example-worker.fixture.ts";
import { ingestOperations } from "./operations.ts";

const type = "dai.campaign";
const videos = [{ seconds: 20 }, { seconds: 10, renditions: ["360p"] }];

/** What a dai.ingest answers. */
function answered(video: JsonObject): { response: JsonObject; error: null } {
  return { response: { exitCode: 0, stdout: `${JSON.stringify(video)}\n` }, error: null };
}

async function campaignIn(
  t: TestContext,
): Promise<{ output: string; operations: readonly OperationDefinition[] }> {
  const output = await mkdtemp(join(tmpdir(), "belay-campaign-"));
  t.after(() => rm(output, { recursive: true }));
  return { output, operations: ingestOperations({ media: output, output }) };
}

test("a campaign starts a dai.ingest for each video, and lists what they answered", async (t) => {
  const { output, operations } = await campaignIn(t);
  await using run = new ExampleRun();
  await run.start(operations, { type, input: { videos } });
  await run.started(2);
  const children = run.children.map(({ type: of, payload, requestId, policy }) => {
    return { of, payload, requestId, policy };
  });
  assert.deepEqual(children, [
    { of: "dai.ingest", payload: videos[0], requestId: "video-0", policy: "cancel" },
    { of: "dai.ingest", payload: videos[1], requestId: "video-1", policy: "cancel" },
  ]);
  run.childEnds(1, answered({ master: "b/master.m3u8" }));
  const { percent, message } = await run.reported("progress");
  assert.deepEqual([percent, message], [50, "1 of 2 videos"]);
  run.childEnds(0, answered({ master: "a/master.m3u8" }));
  const { response } = await run.reported("complete");
  const made = [{ master: "a/master.m3u8" }, { master: "b/master.m3u8" }];
  assert.deepEqual(response, { list: "example.json", videos: made });
  assert.deepEqual(JSON.parse(await readFile(join(output, "example.json"), "utf8")), { videos: made });
  assert.deepEqual(await readdir(join(output, ".partial")), []);
});

test("a video that cannot be cut fails the campaign with its own error, and there is no list", async (t) => {
  const { output, operations } = await campaignIn(t);
  await using run = new ExampleRun();
  await run.start(operations, { type, input: { videos } });
  await run.started(2);
  run.childEnds(0, { response: null, error: { code: 5, message: "there is no such video" } });
  const { error } = await run.reported("fail");
  assert.deepEqual(error, { code: 5, message: "child operations/child-0: there is no such video" });
  assert.deepEqual(await readdir(output), []);
});

test("a cancel ends the wait at once: the children are the server's to stop", async (t) => {
  const { output, operations } = await campaignIn(t);
  await using run = new ExampleRun();
  await run.start(operations, { type, input: { videos } });
  await run.started(2);
  run.cancel(2_000);
  const { abortCaused, evidence } = await run.reported("fail");
  assert.deepEqual({ abortCaused, evidence }, { abortCaused: true, evidence: "HANDLER_STOPPED" });
  assert.deepEqual(await readdir(output), []);
});

test("a campaign is refused with the place of what is wrong", async (t) => {
  const { operations } = await campaignIn(t);
  const check = operations.find((each) => each.type === type)?.check;
  assert.ok(check);
  const rows: readonly [JsonObject, string, RegExp][] = [
    [{}, "videos", /^is not a list of 1 to 20 videos$/],
    [{ videos: [] }, "videos", /^is not a list/],
    [{ videos: Array(21).fill({}) }, "videos", /^is not a list/],
    [{ videos, name: "x" }, "", /^the payload has no field "name"; it has: videos$/],
    [{ videos: ["holiday.mp4"] }, "videos[0]", /^is no object$/],
    [{ videos: [{}, { seconds: 0 }] }, "videos[1].seconds", /^seconds 0 is not a whole number/],
    [{ videos: [{ sauce: 1 }] }, "videos[0]", /^the payload has no field "sauce"/],
  ];
  for (const [input, field, description] of rows) {
    const [violation, ...more] = check(input);
    assert.deepEqual(more, []);
    assert.equal(violation?.field, field);
    assert.match(violation.description, description);
  }
  assert.deepEqual(check({ videos }), []);
  await using run = new ExampleRun();
  await run.start(operations, { type, input: { videos: [{ seconds: 0 }] } });
  const { error } = await run.reported("fail");
  assert.equal(error.code, 3);
  assert.match(error.message, /^videos\[0\]\.seconds: seconds 0 is not/);
});
