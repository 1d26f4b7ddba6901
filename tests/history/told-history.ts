// Histories written by hand, for the tests of the checker: an honest one, and the ways to make a lie of it.
import type { Attempted, Call, History, Listing, Watched } from "./history.ts";
import type { View } from "./view.ts";

/** A history that tests write and change. */
export interface Draft {
  calls: Call[];
  listings: Listing[];
  watches: Watched[];
  attempts: Attempted[];
  records: Map<string, { attempt: number; outcome: string }[]>;
  labels: Map<string, Record<string, string>>;
  sweeps: History["sweeps"][number][];
  isSettled: boolean;
}

export function draft(): Draft {
  return {
    ...{ calls: [], listings: [], watches: [], attempts: [], sweeps: [], isSettled: true },
    ...{ records: new Map(), labels: new Map() },
  };
}

/** The views that an operation has one after the other; each is named by its revision. */
export function viewAt(revision: number, view: Partial<View>): View {
  const done = ["SUCCEEDED", "FAILED", "CANCELLED"].includes(view.state ?? "");
  return {
    ...{ revision, state: "PENDING", done, attempt: 0, maxAttempts: 2, cause: "", reason: "" },
    ...{ createUs: 1000, updateUs: 1000 + revision, endUs: done ? 5000 : 0, isDeleted: false, isHeld: false },
    ...{ isConfirmedLater: false, outcome: done ? "10 ended" : "", error: done, response: false },
    ...view,
  };
}

export function succeeded(revision: number, view: Partial<View> = {}): View {
  const outcome = { outcome: "0 Struct", error: false, response: true, by: "w0" };
  return viewAt(revision, { state: "SUCCEEDED", attempt: 1, ...outcome, ...view });
}

const defaults = { name: "operations/a", caller: "c0", node: "n0", outcome: "ok" } as const;

/** A call from `startMs` to `endMs`, answered unless it says otherwise. */
export function call(what: Call["what"], startMs: number, endMs: number, fields: Partial<Call> = {}): Call {
  return { ...defaults, what, startMs, endMs, ...(what === "start" && { requestId: "r1" }), ...fields };
}

export function listing(
  startMs: number,
  views: Record<string, View>,
  fields: Partial<Listing> = {},
): Listing {
  const endMs = startMs + 5;
  const rows = Object.entries(views).map(([name, view]) => ({ name, view, labels: {}, startMs, endMs }));
  return {
    ...{ caller: "c1", node: "n1", label: null, showDeleted: false, startMs, endMs, rows },
    ...fields,
  };
}

/** Its events are told late: what a watch was told, every later read must know. */
export function watched(views: readonly View[], fields: Partial<Watched> = {}): Watched {
  const events = views.map(({ revision, state, done, updateUs }, index) => ({
    name: defaults.name,
    atMs: 65 + index,
    view: { done, ...(revision && { revision }), ...(state && { state }), ...(updateUs && { updateUs }) },
  }));
  return { caller: "w", label: null, fromMs: 0, untilMs: 1000, events, ...fields };
}

/** Started, run by w0, succeeded; read, listed and watched by others at other nodes. */
export function honest(): Draft {
  const told = draft();
  const views = [viewAt(1, {}), viewAt(2, { state: "RUNNING", attempt: 1 }), succeeded(3)];
  const [pending, running, done] = views;
  told.calls.push(
    call("start", 5, 9, { view: pending! }),
    call("get", 12, 14, { view: running!, node: "n1", caller: "c1" }),
    call("get", 13, 40, { view: done!, node: "n2", caller: "c2" }),
    call("start", 50, 55, { view: done! }),
    call("get", 60, 61, { view: { done: true, state: "SUCCEEDED", error: false, response: true } }),
  );
  told.labels.set(defaults.name, { request: "r1" });
  told.listings.push(listing(70, { [defaults.name]: done! }));
  told.watches.push(watched(views), watched(views, { caller: "v" }));
  told.attempts.push({
    ...{ name: defaults.name, attempt: 1, begins: 1, worker: "w0", beginMs: 11, lastMs: 20, end: "done" },
  });
  told.records.set(defaults.name, [{ attempt: 1, outcome: "SUCCEEDED" }]);
  return told;
}

/** Started, begun, cancelled while it ran, and ended CANCELLED. */
export function honestCancel(): Draft {
  const told = draft();
  const cancelling = viewAt(3, { state: "CANCELLING", attempt: 1, cause: "cancel", reason: "enough" });
  const views = [
    viewAt(1, {}),
    viewAt(2, { state: "RUNNING", attempt: 1 }),
    cancelling,
    viewAt(4, { state: "CANCELLED", attempt: 1, cause: "cancel", reason: "enough", outcome: "1 cancelled" }),
  ];
  const [pending, running, , ended] = views;
  told.calls.push(
    call("start", 5, 9, { view: pending! }),
    call("get", 12, 14, { view: running!, node: "n1" }),
    call("cancel", 15, 18, { verdict: "STOPPING", view: cancelling, node: "n2" }),
    call("cancel", 17, 22, { verdict: "ALREADY_STOPPING", view: cancelling, node: "n1", caller: "c1" }),
    call("get", 30, 32, { view: ended! }),
    call("cancel", 33, 35, { verdict: "ALREADY_CANCELLED", view: ended! }),
  );
  told.labels.set(defaults.name, { request: "r1" });
  told.listings.push(listing(70, { [defaults.name]: ended! }));
  told.watches.push(watched(views));
  told.attempts.push({
    ...{ name: defaults.name, attempt: 1, begins: 1, worker: "w0", beginMs: 11, lastMs: 20, end: "stopped" },
  });
  told.records.set(defaults.name, [{ attempt: 1, outcome: "CANCELLED" }]);
  return told;
}
