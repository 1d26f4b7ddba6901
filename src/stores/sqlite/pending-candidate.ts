// A pending operation that an acquire may grant, and what it is looked for in.
import type { Instant } from "../../base/clock.ts";
import type { SlotGroup, SlotRoom } from "../slot-room.ts";

export interface Candidate {
  rowid: number;
  priority: number;
  startAfter: Instant;
  /** null: nothing limits it. */
  group: SlotGroup | null;
}

/** One search: operations of a type in a service, up to `wanted`, none of which is in `given` (row ids). */
export interface SearchScope {
  type: string;
  service: string;
  wanted: number;
  now: Instant;
  room: SlotRoom;
  given: ReadonlySet<number>;
}
