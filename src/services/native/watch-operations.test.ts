// Watching over a real engine and store: order, no gap and no duplicate, resuming, isolation, slow readers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  State,
  WatchOperationsRequestSchema,
  type WatchOperationsResponse,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import { eventually } from "../../testing/eventually.ts";
import { type NativeWorld, startNativeWorld } from "../../testing/native-world.ts";
import { RecordedStream } from "../../testing/recorded-stream.ts";
import { defaultService } from "../builtin/default.ts";
import type { Principal } from "../method.ts";
import type { RequestStream, StreamContext } from "../stream-method.ts";
import { createWatchMethod } from "./watch-operations.ts";

let world: NativeWorld;
before(async () => {
  world = await startNativeWorld();
});
after(() => world.close());

type Init = MessageInitShape<typeof WatchOperationsRequestSchema>;

interface Watch {
  stream: RecordedStream<WatchOperationsResponse>;
  requests: RequestStream<ReturnType<typeof create>>;
}

const anyone: Principal = { id: "anonymous", tenant: "default", scopes: null, grants: null };

function watch(init: Init, options: { principal?: Principal; room?: number; silentMs?: number } = {}): Watch {
  const { principal = anyone, room, silentMs = 10_000 } = options;
  const stream = new RecordedStream<WatchOperationsResponse>(room);
  const method = createWatchMethod(world.engine, defaultService, { silentMs });
  const context: StreamContext = {
    requestId: "r1",
    principal,
    service: "default",
    transport: "grpc",
    authority: undefined,
  };
  const requests = method.open(stream as unknown as RecordedStream<ReturnType<typeof create>>, context);
  requests.received(create(WatchOperationsRequestSchema, init));
  return { stream, requests };
}

const shown = ({ event }: WatchOperationsResponse): string =>
  event ? `${event.name} ${event.etag} ${stateName(event.state)}` : "-";

function stateName(state: number): string {
  return Object.entries(State).find(([, number]) => number === state)?.[0] ?? "?";
}

test("the first message says where the watch begins; then every change is told once, in order", async () => {
  const name = await world.start("test.parked");
  const { stream, requests } = watch({ names: [name] });
  const [first] = await stream.until(1);
  assert.ok(first && first.resumeToken !== "" && !first.event);
  await world.ok(`${name}:cancel`, { reason: "no more" });
  await world.ok(name, null, { method: "DELETE" });
  const [, ...changes] = await stream.until(3);
  assert.deepEqual(changes.map(shown), [`${name} "2" CANCELLED`, `${name} "3" CANCELLED`]);
  assert.notEqual(changes[1]?.event?.operation?.deleteTime, undefined);
  requests.gone();
});

test("initial tells what there is, then its end, then changes: none twice", async () => {
  const parent = "projects/initial";
  const names = [
    await world.start("test.parked", { parent }),
    await world.startRunning("test.hold", { parent }),
  ];
  const { stream, requests } = watch({ parent, initial: true });
  const sent = await stream.until(3);
  assert.deepEqual(
    sent
      .slice(0, 2)
      .map(({ event, resumeToken }) => [event?.name, resumeToken])
      .sort(),
    names.map((name) => [name, ""]).sort(),
  );
  assert.deepEqual([sent[2]?.initialEnd, sent[2]?.resumeToken === ""], [true, false]);
  await world.ok(`${names[0]}:cancel`, {});
  assert.equal(shown((await stream.until(4))[3] as WatchOperationsResponse), `${names[0]} "2" CANCELLED`);
  world.finish(String(names[1]));
  requests.gone();
});

test("what changes after the watch has begun and before the snapshot is read is told once", async () => {
  const parent = "projects/overtaken";
  const { engine } = world;
  const name = await world.start("test.parked", { parent });
  const list = engine.list.bind(engine);
  engine.list = async (query) => {
    engine.list = list;
    await world.ok(`${name}:cancel`, {});
    return await list(query);
  };
  const { stream, requests } = watch({ parent, initial: true });
  await eventually("the end of the snapshot", () => stream.sent.some(({ initialEnd }) => initialEnd));
  const next = await world.start("test.parked", { parent });
  await eventually("the next start", () => stream.sent.some(({ event }) => event?.name === next));
  assert.deepEqual(stream.sent.filter(({ event }) => event).map(shown), [
    `${name} "2" CANCELLED`,
    `${next} "1" PENDING`,
  ]);
  requests.gone();
});

test("while operations change, a snapshot and its changes have each revision once and none left out", async () => {
  const parent = "projects/busy";
  const count = 60;
  const names = await Promise.all(
    Array.from({ length: count }, () => world.start("test.parked", { parent })),
  );
  const cancels = names.map((name) => world.ok(`${name}:cancel`, {}));
  const watches = Array.from({ length: 5 }, () => watch({ parent, initial: true }));
  await Promise.all(cancels);
  const last = await world.start("test.parked", { parent });
  for (const { stream, requests } of watches) {
    await eventually("the last start", () => stream.sent.some(({ event }) => event?.name === last));
    const told = stream.sent.filter(({ event }) => event).map(shown);
    assert.equal(new Set(told).size, told.length, "a revision was told twice");
    for (const name of names) assert.ok(told.includes(`${name} "2" CANCELLED`), `${name} was left out`);
    requests.gone();
  }
});

test("a token goes on after its message, and a filter that matches nothing does not hold it back", async () => {
  const parent = "projects/resume";
  const first = watch({ parent });
  await first.stream.until(1);
  const names = [await world.start("test.parked", { parent }), await world.start("test.parked", { parent })];
  const [, one] = await first.stream.until(3);
  first.requests.gone();
  assert.equal(one?.event?.name, names[0]);
  const again = watch({ parent, resumeToken: one?.resumeToken ?? "", initial: true });
  const [next] = await again.stream.until(1);
  assert.equal(next?.event?.name, names[1]);
  again.requests.gone();
  const quiet = watch({ parent, filter: "type = test.none" });
  const [begin] = await quiet.stream.until(1);
  for (let index = 0; index < 3; index++) await world.start("test.parked", { parent });
  assert.ok(begin?.resumeToken);
  assert.equal(quiet.stream.sent.filter(({ event }) => event).length, 0);
  quiet.requests.gone();
});

test("a filter tells those that match it as they stand", async () => {
  const parent = "projects/filter";
  const { stream, requests } = watch({ parent, filter: "labels.team = ads" });
  await stream.until(1);
  await world.start("test.parked", { parent, labels: { team: "other" } });
  const mine = await world.start("test.parked", { parent, labels: { team: "ads" } });
  const told = (await stream.until(2)).filter(({ event }) => event);
  assert.deepEqual(
    told.map(({ event }) => event?.name),
    [mine],
  );
  assert.deepEqual(told[0]?.event?.operation?.labels, { team: "ads" });
  requests.gone();
});

const refused: readonly [what: string, init: Init, reason: string, principal?: Principal][] = [
  ["a lone name that is not there", { names: ["operations/none"] }, "OPERATION_NOT_FOUND"],
  ["a malformed name", { names: ["nonsense"] }, "INVALID_NAME"],
  [
    "too many names",
    { names: Array.from({ length: 10_001 }, (_, i) => `operations/a${i}`) },
    "INVALID_FIELD",
  ],
  [
    "a name below another parent",
    { parent: "projects/p", names: ["operations/a", "operations/b"] },
    "INVALID_FIELD",
  ],
  ["a filter that is none", { filter: "state =" }, "INVALID_FILTER"],
  ["a token that is none", { resumeToken: "x" }, "INVALID_RESUME_TOKEN"],
  [
    "a parent without a grant",
    { parent: "projects/q" },
    "IAM_PERMISSION_DENIED",
    { ...anyone, grants: ["projects/p"] },
  ],
  [
    "one name of many without a grant",
    { names: ["projects/p/operations/a", "projects/q/operations/b"] },
    "IAM_PERMISSION_DENIED",
    { ...anyone, grants: ["projects/p"] },
  ],
];

for (const [what, init, reason, principal] of refused) {
  test(`${what} ends the watch with ${reason}`, async () => {
    const { stream } = watch(init, principal && { principal });
    assert.equal((await stream.ended())?.reason, reason);
    assert.equal(stream.sent.length, 0);
  });
}

test("of many names, those that nothing is known of are told by their names", async () => {
  const name = await world.start("test.parked");
  const { stream, requests } = watch({ names: [name, "operations/none"], initial: true });
  const [one, none, end] = await stream.until(3);
  assert.deepEqual(
    [one && shown(one), none?.event?.name, none?.event?.operation],
    [`${name} "1" PENDING`, "operations/none", undefined],
  );
  assert.equal(end?.initialEnd, true);
  requests.gone();
});

test("another tenant sees nothing, and cannot use the token", async () => {
  const other = { ...anyone, tenant: "globex" };
  const mine = watch({});
  const theirs = watch({ initial: true }, { principal: other });
  const name = await world.start("test.parked");
  await eventually("my own change", () => mine.stream.sent.some(({ event }) => event?.name === name));
  assert.equal(theirs.stream.sent.filter(({ event }) => event).length, 0);
  const stolen = watch({ resumeToken: mine.stream.sent.at(-1)?.resumeToken ?? "" }, { principal: other });
  assert.equal((await stolen.stream.ended())?.reason, "INVALID_RESUME_TOKEN");
  for (const { requests } of [mine, theirs]) requests.gone();
});

test("a slow reader is waited for, and gets everything in order", async () => {
  const parent = "projects/slow";
  const { stream, requests } = watch({ parent }, { room: 2 });
  await stream.until(1);
  const names: string[] = [];
  for (let index = 0; index < 6; index++) names.push(await world.start("test.parked", { parent }));
  assert.ok(stream.sent.length <= 3, `${stream.sent.length} were sent to one who does not read`);
  while (stream.sent.filter(({ event }) => event).length < 6) {
    stream.take(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(
    stream.sent.flatMap(({ event }) => (event ? [event.name] : [])),
    names,
  );
  requests.gone();
});

test("one who takes nothing at all is ended with the last token that was sent", async () => {
  const parent = "projects/silent";
  const { stream } = watch({ parent }, { room: 2, silentMs: 50 });
  await stream.until(1);
  for (let index = 0; index < 4; index++) await world.start("test.parked", { parent });
  const error = await stream.ended();
  assert.equal(error?.reason, "WATCH_TOO_SLOW");
  assert.equal(error?.parameters["resumeToken"], stream.sent.at(-1)?.resumeToken);
});

test("names that are watched are not cancelled as unwatched", async () => {
  const unwatched = { unwatchedTimeout: "1s" };
  const [watched, left] = await Promise.all([
    world.start("test.parked", unwatched),
    world.start("test.parked", unwatched),
  ]);
  const { stream, requests } = watch({ names: [watched] });
  await stream.until(1);
  const { cause } = await eventually("the end of the other", async () => {
    const { items } = { items: await world.ok(`operations?filter=name%3D%22${left}%22`) };
    const [operation] = items["operations"] as { cancellation?: { cause: string } }[];
    return operation?.cancellation;
  });
  assert.equal(cause, "unwatched");
  assert.equal((await world.ok(watched))["state"], "PENDING");
  requests.gone();
});

test("over REST it is server-sent events that resume by Last-Event-ID", async () => {
  const parent = "projects/sse";
  const open = (headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${world.url}/belay/v1/${parent}/operations:watch?initial=true`, { headers });
  const name = await world.start("test.parked", { parent });
  const response = await open();
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("initialEnd")) text += (await reader?.read())?.value ?? "";
  await reader?.cancel();
  assert.ok(text.includes(name));
  const id = /^id: (.+)$/m.exec(text)?.[1] ?? "";
  const later = await world.start("test.parked", { parent });
  const resumed = (await open({ "last-event-id": id })).body
    ?.pipeThrough(new TextDecoderStream())
    .getReader();
  let rest = "";
  while (!rest.includes(later)) rest += (await resumed?.read())?.value ?? "";
  await resumed?.cancel();
  assert.ok(!rest.includes(name) && !rest.includes("initialEnd"));
});
