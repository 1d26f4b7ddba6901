// Bugs of leases, attempts and reports in the pure core.
import { bySearch, byTranscript } from "./killers.ts";
import type { Mutant } from "./run-mutant.ts";

const CHANGE = "src/engine/transitions/change.ts";
const LEASE = "src/engine/transitions/lease.ts";
const REPORT = "src/engine/transitions/report.ts";

export const leaseMutants: readonly Mutant[] = [
  {
    name: "no fence: any worker's report counts",
    breaks: "S9",
    edits: [
      {
        file: CHANGE,
        find: "if (lease === null || lease.session !== holder.session || lease.token !== holder.token) {",
        replace: "if (lease === null) {",
      },
    ],
    killers: [bySearch("S9: "), byTranscript("expiry-leased-again.txt: complete(e') zombie", "LEASE_LOST")],
  },
  {
    name: "the fence ignores the session",
    breaks: "S9",
    edits: [
      {
        file: CHANGE,
        find: "lease === null || lease.session !== holder.session || lease.token !== holder.token",
        replace: "lease === null || lease.token !== holder.token",
      },
    ],
    killers: [bySearch("S9: ")],
  },
  {
    name: "the fence ignores the token",
    breaks: "S9",
    edits: [
      {
        file: CHANGE,
        find: "lease === null || lease.session !== holder.session || lease.token !== holder.token",
        replace: "lease === null || lease.session !== holder.session",
      },
    ],
    killers: [bySearch("S9: ")],
  },
  {
    name: "a repeated completion is an error",
    breaks: "S12",
    edits: [
      {
        file: REPORT,
        find: "if (isRepeated(record, command)) return unchanged(record);\n  if (isHeldBy(record, command))\n",
        replace: "if (isHeldBy(record, command))\n",
      },
    ],
    killers: [bySearch("S12: "), byTranscript("complete.txt: complete(e)", "refused ALREADY_DONE")],
  },
  {
    name: "another result of the same attempt is taken for a repetition",
    breaks: "S12",
    edits: [
      { file: REPORT, find: "record.outcome?.digest === command.digest", replace: "record.outcome !== null" },
    ],
    killers: [bySearch("S12: ")],
  },
  {
    name: "attempts without an end",
    breaks: "S11",
    edits: [
      {
        file: CHANGE,
        find: "record.attempt < record.policy.maxAttempts && record.cancel === null",
        replace: "record.cancel === null",
      },
    ],
    killers: [bySearch("S11: ")],
  },
  {
    name: "reserved work burns an attempt",
    breaks: "S11",
    edits: [
      {
        file: LEASE,
        find: "const reserved = { ...record, leaseToken: token, lease, held: null };",
        replace:
          "const reserved = { ...record, leaseToken: token, lease, held: null, attempt: record.attempt + (command.begin ? 0 : 1) };",
      },
    ],
    killers: [bySearch("S11: ")],
  },
  {
    name: "two leases at once",
    breaks: "S10",
    edits: [
      {
        file: LEASE,
        find: 'record.state === "PENDING" && record.lease === null && record.startAfter <= now',
        replace: 'record.state === "PENDING" && record.startAfter <= now',
      },
    ],
    killers: [bySearch("S10: ")],
  },
  {
    name: "a lease token is granted twice",
    breaks: "S9",
    edits: [
      {
        file: LEASE,
        find: "const token = record.leaseToken + 1;",
        replace: "const token = Math.max(1, record.leaseToken);",
      },
    ],
    killers: [bySearch("S9: ")],
  },
];
