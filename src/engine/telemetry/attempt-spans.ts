// One span for each attempt, from its begin to its end, for a tracer that somebody else has registered. The caller's trace
// context is kept in memory only: after a restart of the server an attempt has its span, in a trace of its own.

import type { Context, Link, Span, SpanContext, Tracer } from "@opentelemetry/api";
import { type Instant, MICROS_PER_MS } from "../../base/clock.ts";
import { dropOldest } from "../../base/drop-oldest.ts";
import { keyText } from "../decision.ts";
import type { Commit, EngineObserver } from "../engine-metrics.ts";
import { isDone, type OperationKey, type OperationRecord } from "../operation.ts";

/** What is needed of the OpenTelemetry API, which is loaded late. */
export interface SpanApi {
  readonly tracer: Tracer;
  /** The context of a span that is elsewhere. */
  contextOf(parent: SpanContext | undefined): Context;
  /** The numbers of SpanStatusCode. */
  readonly statusOk: number;
  readonly statusError: number;
}

/** Trace contexts that wait for their attempt or cancel; the oldest go first. */
const CONTEXTS_MAX = 10_000;

interface OpenSpan {
  attempt: number;
  span: Span;
  hasCancel: boolean;
}

export class AttemptSpans implements EngineObserver {
  readonly #api: SpanApi;
  readonly #open = new Map<string, OpenSpan>();
  readonly #starts = new Map<string, SpanContext>();
  readonly #cancels = new Map<string, SpanContext>();
  #horizon: Instant;

  constructor(api: SpanApi, now: Instant) {
    this.#api = api;
    this.#horizon = now;
  }

  /** The operation is started by a call of this trace: its attempts become spans of it. */
  noteStart(key: OperationKey, context: SpanContext): void {
    remember(this.#starts, keyText(key), context);
  }

  /** The cancel comes from a call of this trace: the attempt's span is linked to it. */
  noteCancel(key: OperationKey, context: SpanContext): void {
    remember(this.#cancels, keyText(key), context);
  }

  committed({ changed }: Commit): void {
    let horizon = this.#horizon;
    for (const { record } of changed) {
      this.#follow(record);
      horizon = Math.max(horizon, record.updateTime);
    }
    this.#horizon = horizon;
  }

  /** The server stops: what still runs here goes on elsewhere, or is settled by the next start. */
  close(): void {
    for (const { span } of this.#open.values()) span.setAttribute("belay.attempt.left", true).end();
    this.#open.clear();
  }

  #follow(record: OperationRecord): void {
    const text = keyText(record);
    const isRunning = record.lease?.begun === true;
    let open = this.#open.get(text);
    if (open && open.attempt !== record.attempt) {
      // The next attempt began in the commit that ended this one.
      this.#end(text, open, record, record.attemptStartTime ?? record.updateTime);
      open = undefined;
    }
    const { attemptStartTime } = record;
    // Also one that began and ended in this commit.
    const hasBegun = attemptStartTime !== null && attemptStartTime > this.#horizon;
    if (!open && (isRunning || hasBegun)) open = this.#begin(text, record);
    if (open && record.cancel !== null) this.#noteCancelled(text, open, record);
    if (open && !isRunning) this.#end(text, open, record, record.doneTime ?? record.updateTime);
    if (isDone(record.state)) {
      this.#starts.delete(text);
      this.#cancels.delete(text);
    }
  }

  #begin(text: string, record: OperationRecord): OpenSpan {
    const { tracer, contextOf } = this.#api;
    const startTime = timeOf(record.attemptStartTime ?? record.updateTime);
    const span = tracer.startSpan(
      `belay.attempt ${record.type}`,
      { startTime, attributes: beginAttributes(record) },
      contextOf(this.#starts.get(text)),
    );
    const open: OpenSpan = { attempt: record.attempt, span, hasCancel: false };
    this.#open.set(text, open);
    return open;
  }

  #noteCancelled(text: string, open: OpenSpan, { cancel }: OperationRecord): void {
    if (open.hasCancel || cancel === null) return;
    open.hasCancel = true;
    open.span.addEvent(
      "belay.cancel.requested",
      { "belay.cancel.cause": cancel.cause, "belay.cancel.origin": cancel.origin },
      timeOf(cancel.requestTime),
    );
    const context = this.#cancels.get(text);
    const link: Link | undefined = context && { context, attributes: { "belay.link": "cancel" } };
    if (link) open.span.addLink(link);
  }

  #end(text: string, open: OpenSpan, record: OperationRecord, endTime: Instant): void {
    const { span } = open;
    const { cancel, outcome, state } = record;
    const isLast = isDone(state);
    span.setAttribute("belay.operation.state", state);
    if (cancel?.evidence) span.setAttribute("belay.cancel.evidence", cancel.evidence);
    if (cancel?.mechanism) span.setAttribute("belay.cancel.mechanism", cancel.mechanism);
    if (state === "SUCCEEDED") span.setStatus({ code: this.#api.statusOk });
    else if (state === "FAILED" && outcome?.kind === "error") {
      span.setStatus({ code: this.#api.statusError, message: outcome.status.message });
    } else if (!isLast)
      span.setStatus({ code: this.#api.statusError, message: "the attempt did not finish" });
    span.end(timeOf(endTime));
    this.#open.delete(text);
  }
}

function beginAttributes(record: OperationRecord): Record<string, string | number> {
  return {
    "belay.service": record.service,
    "belay.tenant": record.tenant,
    "belay.operation.name": record.name,
    "belay.operation.type": record.type,
    "belay.attempt": record.attempt,
    "belay.session": record.lease?.session ?? record.held?.session ?? "",
  };
}

/** As OpenTelemetry takes times: milliseconds since the epoch, with a fraction. */
function timeOf(instant: Instant): number {
  return instant / MICROS_PER_MS;
}

function remember(contexts: Map<string, SpanContext>, text: string, context: SpanContext): void {
  contexts.delete(text);
  contexts.set(text, context);
  dropOldest(contexts, CONTEXTS_MAX);
}
