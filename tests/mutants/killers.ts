// The suites that kill most mutants, by what they are.
import type { Killer } from "./run-mutant.ts";

const search = "tests/simulation/search.test.ts";

/** The search over one operation must stop at this invariant. */
export function bySearch(says: string): Killer {
  return { file: search, title: "one operation, two workers", says };
}

/** The search over batches of two commands. */
export function byPairs(says: string): Killer {
  return { file: search, title: "a batch of two commands", says };
}

/** A cell of the hand-written tables says otherwise. */
export function byTable(title: string, says: string): Killer {
  return { file: "tests/transcripts/edges.test.ts", title, says };
}

/** A transcript says otherwise. */
export function byTranscript(title: string, says: string): Killer {
  return { file: "tests/transcripts/transcripts.test.ts", title, says };
}

export function byStore(title: string, says: string): Killer {
  return { file: "tests/conformance/store/sqlite.test.ts", title, says };
}

export function byEngine(title: string, says: string): Killer {
  return { file: "src/engine/engine.test.ts", title, says };
}
