// The operations below one that is cancelled, as the sweep of the engine would treat them: told to stop, or left alone.
import { RpcError } from "../../base/rpc-error.ts";
import { keyOf, keyText } from "../../engine/decision.ts";
import type { Engine } from "../../engine/engine.ts";
import { isDone, type OperationKey, type OperationRecord } from "../../engine/operation.ts";
import type { ChildSummary } from "../../engine/store.ts";

/** An operation that has more below it than this is not walked to the end. */
const VISITED_MAX = 2000;

/** As many children as an operation can have. */
const CHILDREN_MAX = 1000;

export interface Cascade {
  /** The operation itself first, if it would be told to stop; then its children, theirs, and so on. */
  stops: readonly ChildSummary[];
  /** Live children whose policy is abandon or wait, and shared ones that others still want. */
  runsOn: readonly ChildSummary[];
  /** The longest time that one of those below may take to stop, in milliseconds. */
  stopMs: number;
  visited: number;
  /** True if there is more below than was looked at. */
  isCut: boolean;
}

/** Walks the children of an operation that would be told to stop; of one that would not, there is nothing to walk. */
export async function cascadeOf(
  engine: Engine,
  root: OperationRecord,
  isStopping: boolean,
): Promise<Cascade> {
  const walk = new CascadeWalk(engine);
  if (isStopping) await walk.stop(root, ownSummary(root));
  return walk.result();
}

function ownSummary({ service, name, type, state }: OperationRecord): ChildSummary {
  return { service, name, type, state, policy: "cancel", detached: false };
}

class CascadeWalk {
  readonly #engine: Engine;
  readonly #stops: ChildSummary[] = [];
  readonly #runsOn: ChildSummary[] = [];
  /** keyText of everything that would be stopping. */
  readonly #stopping = new Set<string>();
  #stopMs = 0;
  #visited = 0;
  #isCut = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  result(): Cascade {
    return {
      stops: this.#stops,
      runsOn: this.#runsOn,
      stopMs: this.#stopMs,
      visited: this.#visited,
      isCut: this.#isCut,
    };
  }

  /** Level by level, so that a shared child meets all of its parents that stop before it is judged. */
  async stop(root: OperationRecord, summary: ChildSummary): Promise<void> {
    this.#add(root, summary);
    for (let level: readonly OperationRecord[] = [root]; level.length > 0; ) level = await this.#below(level);
  }

  #add(record: OperationRecord, summary: ChildSummary): void {
    this.#stops.push(summary);
    this.#stopping.add(keyText(record));
    const { graceMs, criticalMs, cleanupMs, killMs } = record.policy.cancel;
    if (this.#stops.length > 1) {
      this.#stopMs = Math.max(this.#stopMs, graceMs + criticalMs + cleanupMs + killMs);
    }
  }

  async #below(level: readonly OperationRecord[]): Promise<OperationRecord[]> {
    const stopped: OperationRecord[] = [];
    for (const parent of level) {
      if ((parent.children?.started ?? 0) === 0) continue;
      const children = await this.#engine.children(keyOf(parent), CHILDREN_MAX);
      for (const child of children) {
        if (child.detached || isDone(child.state)) continue;
        if (this.#visited >= VISITED_MAX) {
          this.#isCut = true;
          return stopped;
        }
        this.#visited++;
        const record = await this.#judge(child, parent.tenant);
        if (record !== null) stopped.push(record);
      }
    }
    return stopped;
  }

  /** The child's record if it would be told to stop now. */
  async #judge(child: ChildSummary, tenant: string): Promise<OperationRecord | null> {
    const key = { service: child.service, tenant, name: child.name };
    if (child.policy !== "cancel") {
      this.#runsOn.push(child);
      return null;
    }
    const record = await this.#read(key);
    // Purged meanwhile, told already, or met through another parent.
    if (record === null || record.cancel !== null || this.#stopping.has(keyText(key))) return null;
    if (await this.#isWanted(record)) {
      this.#runsOn.push({ ...child, detached: true });
      return null;
    }
    this.#add(record, child);
    return record;
  }

  /** Somebody else still wants it: a caller of its own, or a parent that goes on. */
  async #isWanted(record: OperationRecord): Promise<boolean> {
    if (record.hasOwnCaller) return true;
    for (const { service, name, detached } of record.parents) {
      const key = { service, tenant: record.tenant, name };
      if (detached || this.#stopping.has(keyText(key))) continue;
      const parent = await this.#read(key);
      if (parent !== null && !isDone(parent.state) && parent.state !== "CANCELLING") return true;
    }
    return false;
  }

  async #read(key: OperationKey): Promise<OperationRecord | null> {
    try {
      return (await this.#engine.detail(key)).record;
    } catch (error) {
      if (error instanceof RpcError && error.reason === "OPERATION_NOT_FOUND") return null;
      throw error;
    }
  }
}
