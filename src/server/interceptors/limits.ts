// Bounds what is in flight, so that an overloaded server refuses at once instead of answering everybody late; what is
// refused first is in overload/shed-order.ts. docs/guide/production.md has the measurements.
import { type Measured, type Measurements, point } from "../../base/measurements.ts";
import { randomFraction } from "../../base/random.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { instruments } from "../../base/telemetry.ts";
import type { MethodKind } from "../../services/service-declaration.ts";
import { isBoundStream } from "../bound-method.ts";
import type { ServerLimits } from "../config.ts";
import { LoopDelay } from "../overload/loop-delay.ts";
import { shedShareOf } from "../overload/shed-order.ts";
import { TenantShares } from "../overload/tenant-shares.ts";
import type { ServerCall } from "../server-call.ts";
import type { Interceptor } from "./interceptor.ts";

/** Clients are told to come back after half of this to all of it: spread out, and Retry-After stays at 1 s. */
const RETRY_DELAY_MAX_MS = 1000;

/** A tenant that sends less than its part is refused for a late event loop only at this multiple of the limit. */
const MODEST_DELAY_FACTOR = 2;

/** What stays open for as long as its caller likes. */
const heldKinds: ReadonlySet<MethodKind> = new Set<MethodKind>(["wait", "watch", "work"]);

/** What a call was refused for. */
type LimitName = "calls" | "tenant" | "commits" | "delay" | "lists" | "connection";

type LimitsUsed = Pick<
  ServerLimits,
  | "callsInFlightMax"
  | "callsPerTenantMax"
  | "commitsWaitingMax"
  | "listsInFlightMax"
  | "loopDelayMaxMs"
  | "waitsPerConnectionMax"
>;

export interface LimitsOptions {
  /** Counts what is refused. */
  measurements?: Measurements;
  /** Told when calls are refused for what is in flight: whatever they wait for may be gone. */
  onFull?: () => void;
  /** Where commands wait for a transaction; default nowhere. */
  queue?: { readonly commitsWaiting: number };
  /** Default one of its own. */
  loopDelay?: LoopDelay;
}

/**
 * The in-flight caps. In flight is what was admitted and is not answered: neither held waits and streams, nor what is never
 * refused. Of waits and streams each connection's share is kept.
 */
export class Limits implements Interceptor {
  readonly #limits: LimitsUsed;
  readonly #options: LimitsOptions;
  readonly #loopDelay: LoopDelay;
  readonly #tenants = new TenantShares();
  #calls = 0;
  #lists = 0;
  readonly #waitsByPeer = new Map<string, number>();
  /** Set when the server drains: new waits would outlive it. */
  isDraining = false;

  constructor(limits: LimitsUsed, options: LimitsOptions = {}) {
    this.#limits = limits;
    this.#options = options;
    this.#loopDelay = options.loopDelay ?? new LoopDelay();
    options.measurements?.addSource(() => this.#figures());
  }

  before(call: ServerCall): undefined {
    const { method } = call;
    if (method.service.isProbe) return;
    this.#loopDelay.touch();
    const { tenant } = call.principal;
    this.#tenants.arrived(tenant, call.startMs);
    const share = shedShareOf(method.kind);
    if (share !== null) this.#checkShare(method.kind, tenant, share);
    if (isHeld(call)) {
      this.#enterWait(call);
      return;
    }
    if (share === null) return;
    if (method.kind === "list" && this.#lists >= this.#limits.listsInFlightMax) {
      throw this.#refuse(method.kind, "lists", "lists in flight", this.#limits.listsInFlightMax);
    }
    this.#calls++;
    this.#tenants.entered(tenant);
    if (method.kind === "list") this.#lists++;
  }

  after(call: ServerCall): void {
    const { kind, service } = call.method;
    if (service.isProbe) return;
    if (isHeld(call)) {
      this.#leaveWait(call.peer);
      return;
    }
    if (shedShareOf(kind) === null) return;
    this.#calls--;
    this.#tenants.left(call.principal.tenant);
    if (kind === "list") this.#lists--;
  }

  /** Throws OVERLOADED where a limit is used up to the share that is open to this kind. */
  #checkShare(kind: MethodKind, tenant: string, share: number): void {
    const calls = Math.ceil(this.#limits.callsInFlightMax * share);
    if (this.#calls >= calls) throw this.#refuse(kind, "calls", `calls in flight, for ${kind},`, calls);
    const ofTenant = Math.ceil(this.#limits.callsPerTenantMax * share);
    if (this.#tenants.inFlight(tenant) >= ofTenant) {
      throw this.#refuse(kind, "tenant", `calls in flight of one tenant, for ${kind},`, ofTenant);
    }
    // The queue is mostly what workers report, and each start makes it longer by several of these. What only reads is not in it.
    const { commitsWaitingMax } = this.#limits;
    if (kind === "start" && this.#commitsWaiting >= commitsWaitingMax) {
      throw this.#refuse(kind, "commits", "commands waiting to be committed", commitsWaitingMax);
    }
    // A wait that is refused comes back as polls, which cost more than to hold it.
    if (kind === "wait") return;
    const { delayMs } = this.#loopDelay;
    const delayMax = this.#limits.loopDelayMaxMs * share;
    if (delayMs < delayMax) return;
    if (delayMs < delayMax * MODEST_DELAY_FACTOR && this.#tenants.isModest(tenant)) return;
    throw this.#refuse(kind, "delay", `the server's delay in ms, for ${kind},`, Math.round(delayMax));
  }

  #enterWait(call: ServerCall): void {
    if (this.isDraining) throw new RpcError("SHUTTING_DOWN", {}, { retryDelayMs: retryDelayMs() });
    const waits = this.#waitsByPeer.get(call.peer) ?? 0;
    const limit = this.#limits.waitsPerConnectionMax;
    if (waits >= limit) {
      throw this.#refuse(call.method.kind, "connection", "waits and streams on this connection", limit);
    }
    this.#waitsByPeer.set(call.peer, waits + 1);
  }

  #leaveWait(peer: string): void {
    const waits = this.#waitsByPeer.get(peer) ?? 0;
    if (waits <= 1) this.#waitsByPeer.delete(peer);
    else this.#waitsByPeer.set(peer, waits - 1);
  }

  #refuse(kind: MethodKind, name: LimitName, what: string, limit: number): RpcError {
    this.#options.measurements?.add(instruments.callsShed, [kind, name]);
    if (name === "calls" || name === "tenant" || name === "commits") this.#options.onFull?.();
    return new RpcError("OVERLOADED", { what, limit }, { retryDelayMs: retryDelayMs() });
  }

  get #commitsWaiting(): number {
    return this.#options.queue?.commitsWaiting ?? 0;
  }

  #figures(): Measured[] {
    const { callsInFlightMax, callsPerTenantMax, commitsWaitingMax, loopDelayMaxMs } = this.#limits;
    const used = (name: LimitName, value: number, limit: number): ReturnType<typeof point> =>
      point(instruments.overloadPressure, [name], value / Math.max(1, limit));
    return [
      {
        instrument: instruments.overloadPressure,
        points: [
          used("calls", this.#calls, callsInFlightMax),
          used("tenant", this.#tenants.inFlightMost, callsPerTenantMax),
          used("commits", this.#commitsWaiting, commitsWaitingMax),
          used("delay", this.#loopDelay.delayMs, loopDelayMaxMs),
        ],
      },
    ];
  }
}

function retryDelayMs(): number {
  return Math.round((RETRY_DELAY_MAX_MS / 2) * (1 + randomFraction()));
}

function isHeld({ method }: ServerCall): boolean {
  return heldKinds.has(method.kind) || isBoundStream(method);
}
