// Who may use force, and who may say that work is gone: over a real server, on every method that can.
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { after, before, test } from "node:test";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { type NativeWorld, startNativeWorld } from "../../testing/native-world.ts";
import { defaultService } from "../builtin/default.ts";
import type { MethodScopes } from "../service-declaration.ts";

const worlds: NativeWorld[] = [];

/** A server whose service asks for these scopes, with a token for each of three callers. */
async function startWorld(scopes: MethodScopes): Promise<NativeWorld> {
  const token = (name: string, granted: readonly string[] | null) => ({
    ...{ sha256: hash("sha256", `token-of-${name}`, "hex"), principal: `user:${name}`, tenant: "default" },
    ...{ scopes: granted, grants: null },
  });
  const world = await startNativeWorld({
    services: [{ ...defaultService, scopes }],
    auth: {
      ...{ issuers: [], serviceAccounts: [], iam: null, development: false },
      staticTokens: [token("all", null), token("gentle", ["run"]), token("strong", ["run", "force"])],
    },
  });
  worlds.push(world);
  return world;
}

let named: NativeWorld;
let unnamed: NativeWorld;
before(async () => {
  const run = { start: ["run"], cancel: ["run"] };
  named = await startWorld({ ...run, force: ["force"] });
  unnamed = await startWorld(run);
});
after(async () => {
  for (const world of worlds) await world.close();
});

const methods: readonly (readonly [what: string, path: (name: string) => string, body: JsonObject])[] = [
  ["a cancel", (name) => `${name}:cancel`, { force: true }],
  ["a preview of a cancel", (name) => `${name}:cancel`, { force: true, validateOnly: true }],
  ["a cancel of many", () => "operations:cancel", { filter: "labels.none = x", force: true }],
  ["a release of held work", (name) => `${name}:releaseHold`, { reason: "the machine is gone" }],
];

/** The answer's status and text. */
async function answerOf(
  world: NativeWorld,
  caller: string,
  [, path, body]: (typeof methods)[number],
): Promise<string> {
  const options = { headers: { authorization: `Bearer token-of-${caller}` } };
  const started = await world.rest("operations", { type: "test.parked" }, options);
  const answer = await world.rest(path(String(started.body["name"])), body, options);
  return `${answer.status} ${JSON.stringify(answer.body)}`;
}

for (const method of methods) {
  test(`a token that may only cancel may not force: ${method[0]}`, async () => {
    assert.match(await answerOf(named, "gentle", method), /^403 .*(FORCE_REFUSED|SCOPE_INSUFFICIENT)/);
    assert.match(await answerOf(unnamed, "gentle", method), /^403 .*FORCE_REFUSED/);
    assert.match(await answerOf(unnamed, "strong", method), /^403 .*FORCE_REFUSED/);
  });

  test(`a token with the scope for it, or without limits, may: ${method[0]}`, async () => {
    for (const [world, caller] of [
      [named, "strong"],
      [named, "all"],
      [unnamed, "all"],
    ] as const) {
      // Nothing is held: that the release gets so far is what is asked here.
      assert.match(await answerOf(world, caller, method), /^200 |NOT_HELD/);
    }
  });
}
