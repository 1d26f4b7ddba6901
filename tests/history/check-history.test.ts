// The checker finds nothing in honest histories, and each lie by the rule that it breaks: otherwise its silence says nothing.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { checkHistory } from "./check-history.ts";
import type { Call } from "./history.ts";
import { NEVER } from "./history.ts";
import {
  call,
  type Draft,
  honest,
  honestCancel,
  listing,
  succeeded,
  viewAt,
  watched,
} from "./told-history.ts";

const name = "operations/a";

suite("an honest history", () => {
  const rows: readonly [string, (told: Draft) => void][] = [
    ["as it is", () => {}],
    [
      "with a start that was answered the second time only",
      (told) => {
        told.calls.unshift(call("start", 1, NEVER, { outcome: "unknown" }));
      },
    ],
    [
      "with a cancel that nobody answered, and that never came",
      (told) => {
        told.calls.push(call("cancel", 10, NEVER, { outcome: "unknown" }));
      },
    ],
    [
      "with a cancel too late",
      (told) => {
        told.calls.push(call("cancel", 80, 82, { verdict: "TOO_LATE_SUCCEEDED", view: succeeded(3) }));
      },
    ],
    [
      "with a google cancel too late",
      (told) => {
        told.calls.push(call("cancel", 80, 82));
      },
    ],
    [
      "with a delete, after which google does not find it",
      (told) => {
        told.calls.push(
          call("delete", 80, 82),
          call("get", 85, 86, { outcome: "refused", refusal: "OPERATION_NOT_FOUND" }),
        );
      },
    ],
    [
      "with a get that was sent before the start was known",
      (told) => {
        told.calls.push(call("get", 1, 6, { outcome: "refused", refusal: "OPERATION_NOT_FOUND" }));
      },
    ],
  ];
  for (const [title, change] of rows) {
    test(title, () => {
      const told = honest();
      change(told);
      assert.deepEqual(checkHistory(told), []);
    });
  }
  test("with a cancel", () => assert.deepEqual(checkHistory(honestCancel()), []));
  test("with a cancel that took effect and was not answered", () => {
    const told = honestCancel();
    const index = told.calls.findIndex(({ verdict }) => verdict === "STOPPING");
    told.calls[index] = call("cancel", 15, NEVER, { outcome: "unknown" });
    assert.deepEqual(checkHistory(told), []);
  });
  test("with a cancel by a sweep", () => {
    const told = honestCancel();
    told.calls = told.calls.filter(({ verdict }) => verdict !== "STOPPING");
    told.labels.set(name, { request: "r1", wave: "7" });
    told.sweeps.push({ label: { key: "wave", value: "7" }, startMs: 10 });
    assert.deepEqual(checkHistory(told), []);
  });
  test("with a retry after a lost worker", () => {
    const told = honest();
    const [begun, lost, again] = [
      viewAt(2, { state: "RUNNING", attempt: 1 }),
      viewAt(3, { attempt: 1 }),
      viewAt(4, { state: "RUNNING", attempt: 2 }),
    ];
    const end = succeeded(5, { attempt: 2, by: "w1" });
    told.calls = [
      call("start", 5, 9, { view: viewAt(1, {}) }),
      call("get", 20, 21, { view: begun }),
      call("get", 30, 31, { view: again }),
      call("get", 40, 41, { view: end }),
    ];
    told.listings = [];
    told.watches = [watched([viewAt(1, {}), begun, lost, again, end])];
    told.attempts.push({ ...told.attempts[0]!, attempt: 2, worker: "w1", beginMs: 30, lastMs: 35 });
    assert.deepEqual(checkHistory(told), []);
  });
});

function change(told: Draft, what: Call["what"], fields: Partial<Call>): void {
  const index = told.calls.findLastIndex((each) => each.what === what);
  told.calls[index] = { ...told.calls[index]!, ...fields };
}

const cancelled = { cause: "cancel", reason: "enough", attempt: 1 };

/** One lie each: what was changed, and the rule that has to tell of it. */
const lies: readonly [rule: string, title: string, from: () => Draft, lie: (told: Draft) => void][] = [
  [
    "S1",
    "a done operation runs again",
    honest,
    (told) => told.calls.push(call("get", 80, 81, { view: viewAt(4, { state: "RUNNING", attempt: 1 }) })),
  ],
  [
    "S1",
    "another end is shown later",
    honest,
    (told) => told.calls.push(call("get", 80, 81, { view: viewAt(4, { state: "FAILED", attempt: 1 }) })),
  ],
  [
    "S1",
    "another result of the same state",
    honest,
    (told) => told.calls.push(call("get", 80, 81, { view: succeeded(4, { outcome: "0 other" }) })),
  ],
  [
    "S2",
    "a result before the end",
    honest,
    (told) => change(told, "get", { view: viewAt(2, { state: "RUNNING", attempt: 1, error: true }) }),
  ],
  [
    "S2",
    "done with neither result",
    honest,
    (told) => told.calls.push(call("get", 80, 81, { view: succeeded(3, { response: false }) })),
  ],
  [
    "S3",
    "an acknowledged start is not found at another node",
    honest,
    (told) =>
      told.calls.push(
        call("get", 11, 12, { outcome: "refused", refusal: "OPERATION_NOT_FOUND", node: "n2" }),
      ),
  ],
  [
    "S3",
    "an acknowledged start is in no list at the end",
    honest,
    (told) => {
      told.labels.clear();
    },
  ],
  [
    "S4",
    "one request id starts two operations",
    honest,
    (told) => told.calls.push(call("start", 50, 51, { name: "operations/b", view: viewAt(1, {}) })),
  ],
  [
    "S4",
    "a start that was not answered took effect twice",
    honest,
    (told) => {
      told.labels.set("operations/b", { request: "r1" });
    },
  ],
  [
    "S4",
    "two request ids answer one operation",
    honest,
    (told) => told.calls.push(call("start", 80, 81, { requestId: "r2", view: succeeded(3) })),
  ],
  [
    "S5",
    "an acknowledged cancel is forgotten",
    honestCancel,
    (told) => told.calls.push(call("get", 19, 20, { view: viewAt(4, { state: "RUNNING", attempt: 1 }) })),
  ],
  [
    "S5",
    "PREVENTED_START, and it ran to its end",
    honest,
    (told) =>
      told.calls.push(
        call("cancel", 10, 11, {
          verdict: "PREVENTED_START",
          view: viewAt(2, { state: "CANCELLED", ...cancelled, attempt: 0 }),
        }),
      ),
  ],
  [
    "S6",
    "a cancel of a done operation changes its revision",
    honest,
    (told) => told.calls.push(call("cancel", 80, 81, { verdict: "TOO_LATE_SUCCEEDED", view: succeeded(4) })),
  ],
  [
    "S7",
    "CANCELLED without a cancel",
    honest,
    (told) => told.calls.push(call("get", 80, 81, { view: viewAt(3, { state: "CANCELLED", attempt: 1 }) })),
  ],
  [
    "S15",
    "a cancel that nobody asked for",
    honestCancel,
    (told) => {
      told.calls = told.calls.filter(({ what }) => what !== "cancel");
    },
  ],
  [
    "S8",
    "an attempt after the cancel",
    honestCancel,
    (told) =>
      told.calls.push(
        call("get", 25, 26, { view: viewAt(5, { state: "RUNNING", ...cancelled, attempt: 2 }) }),
      ),
  ],
  [
    "S8",
    "an attempt after the cancel, which only the worker tells",
    honestCancel,
    (told) => told.attempts.push({ ...told.attempts[0]!, attempt: 2, beginMs: 40, lastMs: 41 }),
  ],
  [
    "S9",
    "the result of an attempt that was stopped",
    honest,
    (told) => {
      told.attempts[0]!.end = "stopped";
    },
  ],
  [
    "S9",
    "the result of a worker that had lost it",
    honest,
    (told) => {
      told.attempts[0]!.worker = "w1";
    },
  ],
  [
    "S9",
    "a result of nobody",
    honest,
    (told) => {
      told.attempts.length = 0;
    },
  ],
  [
    "S10",
    "two attempts at once",
    honest,
    (told) => told.attempts.push({ ...told.attempts[0]!, attempt: 2, worker: "w1", beginMs: 13 }),
  ],
  [
    "S11",
    "an attempt that begins twice",
    honest,
    (told) => {
      told.attempts[0]!.begins = 2;
    },
  ],
  [
    "S11",
    "more attempts than allowed",
    honest,
    (told) => told.calls.push(call("get", 80, 81, { view: succeeded(3, { attempt: 3 }) })),
  ],
  [
    "S11",
    "an attempt that is not on record",
    honest,
    (told) => told.attempts.push({ ...told.attempts[0]!, attempt: 2, beginMs: 30, lastMs: 31 }),
  ],
  [
    "S13",
    "one revision has two states",
    honest,
    (told) => told.calls.push(call("get", 12, 13, { view: viewAt(2, { attempt: 1 }) })),
  ],
  [
    "S13",
    "the update time goes back",
    honest,
    (told) => change(told, "start", { view: succeeded(3, { updateUs: 1001 }) }),
  ],
  [
    "S14",
    "a later read at another node shows an older revision",
    honest,
    (told) =>
      told.calls.push(call("get", 56, 57, { view: viewAt(2, { state: "RUNNING", attempt: 1 }), node: "n1" })),
  ],
  [
    "S14",
    "google shows it running after its end",
    honest,
    (told) => told.calls.push(call("get", 65, 66, { view: { done: false, error: false, response: false } })),
  ],
  [
    "S14",
    "a list behind what a watch has told",
    honest,
    (told) => told.listings.push(listing(20, { [name]: viewAt(1, {}) })),
  ],
  [
    "S15",
    "a read that overlaps everything, but fits nowhere",
    honest,
    (told) => told.calls.push(call("get", 1, 90, { view: viewAt(2, { state: "RUNNING", attempt: 2 }) })),
  ],
  ["S15", "STOPPING twice", honestCancel, (told) => change(told, "cancel", { verdict: "STOPPING" })],
  [
    "S15",
    "a start that was taken back",
    honest,
    (told) => told.calls.push(call("get", 62, 95, { outcome: "refused", refusal: "OPERATION_NOT_FOUND" })),
  ],
  ["S16", "a list leaves out what is there", honest, (told) => told.listings.push(listing(80, {}))],
  [
    "S16",
    "a list shows it twice",
    honest,
    (told) => {
      const [one] = told.listings;
      told.listings.push({ ...one!, rows: [...one!.rows, ...one!.rows] });
    },
  ],
  [
    "S16",
    "a list shows what does not match",
    honest,
    (told) =>
      told.listings.push(listing(80, { [name]: succeeded(3) }, { label: { key: "wave", value: "1" } })),
  ],
  ["S17", "a watch with a gap", honest, (told) => told.watches.push(watched([viewAt(1, {}), succeeded(3)]))],
  [
    "S17",
    "a watch that tells a change again",
    honest,
    (told) =>
      told.watches.push(
        watched([
          viewAt(1, {}),
          viewAt(2, { state: "RUNNING" }),
          viewAt(2, { state: "RUNNING" }),
          succeeded(3),
        ]),
      ),
  ],
  [
    "S17",
    "a watch that misses the end",
    honest,
    (told) => told.watches.push(watched([viewAt(1, {}), viewAt(2, { state: "RUNNING" })])),
  ],
  [
    "S17",
    "a watch that misses the beginning",
    honest,
    (told) => told.watches.push(watched([viewAt(2, { state: "RUNNING" }), succeeded(3)])),
  ],
  ["S17", "a watch that is told nothing of it", honest, (told) => told.watches.push(watched([]))],
  [
    "S17",
    "two watches in two orders",
    honest,
    (told) => {
      const [one] = told.watches;
      const other = { ...one!.events[0]!, name: "operations/b" };
      told.watches.push(
        { ...one!, events: [other, ...one!.events] },
        { ...one!, events: [...one!.events, other] },
      );
    },
  ],
  [
    "S18",
    "a list shows it after its delete",
    honest,
    (told) => {
      told.calls.push(call("delete", 75, 76));
      told.listings.push(listing(80, { [name]: succeeded(3) }));
    },
  ],
  [
    "S18",
    "a delete is forgotten",
    honest,
    (told) => told.calls.push(call("delete", 75, 76), call("get", 80, 81, { view: succeeded(4) })),
  ],
  [
    "L3",
    "it never ends",
    honest,
    (told) => {
      told.calls = told.calls.slice(0, 2);
      told.listings = [];
      told.watches = [];
    },
  ],
];

suite("a history with a lie", () => {
  for (const [rule, title, from, lie] of lies) {
    test(`${rule}: ${title}`, () => {
      const told = from();
      lie(told);
      const findings = checkHistory(told);
      const rules = findings.map((finding) => finding.rule);
      assert.ok(
        rules.includes(rule),
        `found: ${findings.map((each) => `${each.rule} ${each.text}`).join("; ")}`,
      );
    });
  }
});
