// How long a Wait may be held, for every dialect.
import { monotonicMs } from "../base/clock.ts";
import type { CallContext } from "./method.ts";

/** No Wait is held longer, whatever the caller asked. */
const WAIT_MAX_MS = 600_000;
/** A REST Wait without a timeout: "at most the time permitted by the underlying protocol"; HTTP clients give up at 60 s and more. */
const REST_WAIT_DEFAULT_MS = 50_000;
const WAIT_MARGIN_MIN_MS = 50;
const WAIT_MARGIN_MAX_MS = 1000;

/**
 * How long a Wait is held: the shorter of what was asked and what the caller's deadline leaves, less a margin. The
 * server must answer first: a client whose deadline passes resets the stream, and Node ends a whole HTTP/2 session
 * after about a thousand resets, with every other call on it. An early answer is legal (operations.proto).
 */
export function waitTimeoutMs(asked: number | undefined, context: CallContext): number {
  const wanted = asked ?? (context.transport === "rest" ? REST_WAIT_DEFAULT_MS : WAIT_MAX_MS);
  const timeoutMs = Math.min(wanted, WAIT_MAX_MS);
  if (context.deadlineMs === Number.POSITIVE_INFINITY) return timeoutMs;
  const leftMs = context.deadlineMs - monotonicMs();
  const marginMs = Math.min(Math.max(leftMs / 10, WAIT_MARGIN_MIN_MS), WAIT_MARGIN_MAX_MS);
  return Math.max(0, Math.min(timeoutMs, leftMs - marginMs));
}
