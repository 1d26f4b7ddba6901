// What the summary tells of a stop of the tour.
import type { WorkPiece } from "./work-pieces.ts";

export interface StopResult {
  id: string;
  outcome: string;
  evidence: string;
  mechanism: string;
  /** `126 ms`, from the request to the end. */
  latency: string;
  /** What was seen before, to be looked for once more at the end. */
  pieces: readonly WorkPiece[];
  isGone: boolean;
  /** It ended as it should; `isGone` apart. */
  isGood: boolean;
}
