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

/** One of the searches over several operations and sessions: families, slots, leases. */
export function byFamily(title: string, says: string): Killer {
  return { file: search, title, says };
}

/** What the searches visit by the thousand, told once. */
export function byStory(title: string): Killer {
  return { file: "tests/simulation/stories.test.ts", title, says: "AssertionError" };
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

export function byStart(title: string): Killer {
  return { file: "src/services/declared/start-services.test.ts", title, says: "AssertionError" };
}

export function byAccess(title: string): Killer {
  return { file: "src/services/access.test.ts", title, says: "AssertionError" };
}

export function byRouter(title: string): Killer {
  return { file: "src/server/service-router.test.ts", title, says: "AssertionError" };
}

/** The whole server, with services and callers. */
export function byServer(title: string): Killer {
  return { file: "src/server/server.test.ts", title, says: "AssertionError" };
}

export function byAuthenticator(title: string): Killer {
  return { file: "src/server/auth/authenticator.test.ts", title, says: "AssertionError" };
}

export function byIam(title: string): Killer {
  return { file: "src/server/auth/iam-tokens.test.ts", title, says: "AssertionError" };
}

/** Identity as callers meet it. */
export function byWire(title: string): Killer {
  return { file: "src/server/auth/identity-on-the-wire.test.ts", title, says: "AssertionError" };
}

export function byYandexService(title: string): Killer {
  return { file: "src/services/yandex/operation-service.test.ts", title, says: "AssertionError" };
}

/** Errors of the yandex dialect, to the byte. */
export function byYandexErrors(title: string): Killer {
  return { file: "tests/conformance/yandex/errors.test.ts", title, says: "AssertionError" };
}

/** How a start in Belay's own surface is read. */
export function byStartRequest(title: string): Killer {
  return { file: "src/services/native/start-request.test.ts", title, says: "AssertionError" };
}
