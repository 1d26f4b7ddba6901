import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../testing/eventually.ts";
import { StoreWatch } from "./store-watch.ts";

/** A store that answers, refuses or hangs, as the test says; and what was told of it. */
function world() {
  let asked = 0;
  let answer = (): Promise<unknown> => Promise.resolve();
  const told: boolean[] = [];
  const lines: string[] = [];
  const logger = { warn: (line: string) => lines.push(line), info: (line: string) => lines.push(line) };
  const watch = new StoreWatch({
    check: () => {
      asked++;
      return answer();
    },
    logger: logger as never,
    onChange: (isUp) => told.push(isUp),
  });
  return {
    ...{ watch, told, lines },
    asked: () => asked,
    answers: (next: () => Promise<unknown>) => {
      answer = next;
    },
  };
}

const away = (): Promise<unknown> => Promise.reject(new Error("connection refused"));

test("many questions within a second ask the store once", async () => {
  const { watch, asked } = world();
  await Promise.all([watch.refresh(), watch.refresh(), watch.refresh()]);
  assert.equal(watch.refresh(), undefined);
  assert.equal(asked(), 1);
  watch.close();
});

test("a store that refuses is down, is asked again by itself, and is up again", async () => {
  const { watch, told, lines, answers } = world();
  answers(away);
  await watch.refresh();
  assert.deepEqual([watch.isUp, told], [false, [false]]);
  assert.equal(watch.refresh(), undefined, "nobody waits for a store that is known to be away");
  answers(() => Promise.resolve());
  await eventually("it is up", () => watch.isUp);
  assert.deepEqual(told, [false, true]);
  assert.equal(lines.length, 2);
  watch.close();
});

test("a suspicion asks at once", async () => {
  const { watch, told, answers, asked } = world();
  await watch.refresh();
  answers(away);
  watch.suspect();
  watch.suspect();
  await eventually("it is down", () => !watch.isUp);
  assert.deepEqual([told, asked()], [[false], 2]);
  watch.close();
});

test("a store that hangs is down after two seconds, is not asked twice, and is up with its answer", async () => {
  const { watch, asked, answers } = world();
  const hanging = Promise.withResolvers<void>();
  answers(() => hanging.promise);
  await watch.refresh();
  assert.deepEqual([watch.isUp, asked()], [false, 1]);
  answers(() => Promise.resolve());
  hanging.resolve();
  await eventually("it is up", () => watch.isUp);
  watch.close();
});

test("a store that is only slow, behind calls that it serves, is up", async () => {
  const { watch, answers } = world();
  const hanging = Promise.withResolvers<void>();
  answers(() => hanging.promise);
  const pending = watch.refresh();
  watch.served();
  await pending;
  assert.equal(watch.isUp, true);
  hanging.resolve();
  watch.close();
});
