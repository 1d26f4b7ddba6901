// Runs transcript lines over the pure core: each line is one command in a batch of its own, decided over a ledger.
import { strict as assert } from "node:assert";
import type { Decision } from "../../src/engine/decision.ts";
import { isDone, nextTimer, type OperationRecord } from "../../src/engine/operation.ts";
import { EPOCH, sampleKey, UNIT } from "../../src/testing/sample-operation.ts";
import { Ledger } from "../simulation/ledger.ts";
import { answerText, commandOf, parseLine, recordText } from "./command-line.ts";

/** An hour in units: later than any timer of the transcripts. */
const FOR_EVER = 3_600_000;

export class LedgerWorld {
  #ledger = new Ledger();
  #now = EPOCH;
  /** What the last line wrote beside the operation's row. */
  lastDecision: Decision | null = null;

  /** Runs one line, and answers what it showed. */
  async run(text: string): Promise<string[]> {
    const line = parseLine(text);
    const before = this.record(line.name);
    if (line.verb === "pass") return this.#pass(Number(line.words[0]));
    if (line.verb === "get") return [clientView(before)];
    if (line.verb === "crash") return this.#crash();
    if (line.verb === "tick" && line.words[0] === "due")
      this.#now = (before && nextTimer(before)) ?? this.#now + FOR_EVER;
    const command = commandOf(line, before, this.#now);
    if (command === null) throw new Error(`no command is called "${line.verb}"`);
    const { decision, next } = this.#ledger.commit([command], this.#now);
    const [outcome] = decision.outcomes;
    assert.ok(outcome);
    if (outcome.type === "refused")
      assert.deepEqual(next.operations, this.#ledger.operations, "a refusal wrote");
    this.#ledger = next;
    this.lastDecision = decision;
    const record = outcome.type !== "refused" && "record" in outcome ? outcome.record : null;
    return [answerText(outcome) + (record ? `: ${recordText(record)}` : ""), ...writesText(decision)];
  }

  record(name: string): OperationRecord | null {
    return this.#ledger.find(sampleKey(name));
  }

  async close(): Promise<void> {}

  #pass(units: number): string[] {
    this.#now += units * UNIT;
    return [];
  }

  /** The process dies after its commit. What a new one reads is a copy of the rows, and nothing else. */
  #crash(): string[] {
    this.#ledger = new Ledger(structuredClone(this.#ledger));
    return [];
  }
}

/** What a google.longrunning client sees. */
function clientView(record: OperationRecord | null): string {
  if (record === null || record.deleteTime !== null) return "NOT_FOUND";
  const { outcome } = record;
  if (!isDone(record.state) || outcome === null) return "done=false";
  return outcome.kind === "response"
    ? "done, response"
    : `done, error ${outcome.status.code}: ${outcome.status.message}`;
}

function writesText({ attempts, receipts }: Decision): string[] {
  return [
    ...attempts.map(
      ({ attempt }) => `  attempt ${attempt.attempt} of ${attempt.session}: ${attempt.outcome}`,
    ),
    ...receipts.map(
      ({ event }) =>
        `  receipt: ${[event.kind, event.detail, event.by && `(${event.by})`].filter(Boolean).join(" ")}`,
    ),
  ];
}
