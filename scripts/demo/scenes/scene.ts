// A stop of the tour that is not about one system: it shows what else a cancel has to stand.
import type { Show } from "../show.ts";
import type { StopResult } from "../stop-result.ts";
import type { TourWorld } from "../systems.ts";

export interface Scene {
  id: string;
  title: string;
  /** The folder of the example whose operations the server needs for it; null for none. */
  example: string | null;
  /** Why it cannot be shown here and how that is changed, in one line; null if nothing is missing. */
  missing(root: string): string | null;
  /** Shows it. Rejects when something does not do what it must. */
  run(world: TourWorld, show: Show): Promise<StopResult>;
}
