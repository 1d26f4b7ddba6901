// Bugs at the door and on the wire.
import type { Mutant } from "./run-mutant.ts";

export const wireMutants: readonly Mutant[] = [
  {
    name: "the guard ignores Host",
    breaks: "T7",
    edits: [
      {
        file: "src/server/guard.ts",
        find: "if (host === undefined || !isAllowed(host))",
        replace: "if (host === undefined)",
      },
    ],
    killers: [{ file: "src/server/guard.test.ts", says: "AssertionError" }],
  },
  {
    name: "the guard ignores Origin",
    breaks: "T7",
    edits: [
      {
        file: "src/server/guard.ts",
        find: "if (origin?.toLowerCase() !== own)",
        replace: 'if (origin === "" && origin !== own)',
      },
    ],
    killers: [{ file: "src/server/guard.test.ts", says: "AssertionError" }],
  },
  {
    name: "the guard ignores Sec-Fetch-Site",
    breaks: "T7",
    edits: [
      {
        file: "src/server/guard.ts",
        find: "if (secFetchSite !== undefined && secFetchSite",
        replace: 'if (secFetchSite === "" && secFetchSite',
      },
    ],
    killers: [{ file: "src/server/guard.test.ts", says: "AssertionError" }],
  },
  {
    name: "an operation shows its error before it is done",
    breaks: "S2",
    edits: [
      {
        file: "src/services/operation-result.ts",
        find: "  if (!result.done) return result;\n",
        replace: '  if (!result.done) return { ...result, error: { code: 1, message: "", details: [] } };\n',
      },
    ],
    killers: [{ file: "src/services/google/projection.test.ts", says: "AssertionError" }],
  },
  {
    name: "%2F in a name becomes a slash",
    breaks: "R25",
    edits: [
      {
        file: "src/transcoding/path-decoding.ts",
        find: ".map((part, i) => (i % 2 === 1 ? part : decodeEscapes(part)))",
        replace: ".map((part) => decodeEscapes(part))",
      },
    ],
    killers: [{ file: "src/transcoding/path-decoding.test.ts", says: "AssertionError" }],
  },
];
