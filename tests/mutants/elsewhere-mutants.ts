// Bugs of children in another database than their parent: what is told there, and what is concluded from what is heard.
import type { Killer, Mutant } from "./run-mutant.ts";

const ELSEWHERE = "src/services/native/child-elsewhere";

function byRule(title: string, says = "AssertionError"): Killer {
  return { file: "src/engine/stand-in.test.ts", title, says };
}

function byWorld(title: string, says = "AssertionError"): Killer {
  return { file: "tests/conformance/nodes/children-elsewhere.long.test.ts", title, says };
}

export const elsewhereMutants: readonly Mutant[] = [
  {
    name: "a stand-in whose server is lost is taken for one that has nothing running",
    breaks: "G2",
    edits: [
      {
        file: "src/engine/transitions/change.ts",
        find: "  if (isStandIn(record)) return { ...next, held: record.lease };",
        replace: "  if (isStandIn(record)) return next;",
      },
    ],
    killers: [byRule("a stand-in whose server is lost may have its next attempt at once")],
  },
  {
    name: "the loss of the server ends the cancel of a stand-in, whatever its child does",
    breaks: "C1",
    edits: [
      {
        file: "src/engine/transitions/lease.ts",
        find: ' || state === "CANCELLING") return unchanged(record);',
        replace: ") return unchanged(record);",
      },
    ],
    killers: [byRule("the end of a session says nothing of a stand-in that is stopping")],
  },
  {
    name: "a result counts as evidence although something of the child may still run",
    breaks: "S7",
    edits: [
      {
        file: "src/engine/transitions/open-end.ts",
        find: "  return accept({ ...report.record, held: record.lease }, report.effects);",
        replace: "  return report;",
      },
    ],
    killers: [byRule("an end of which not all is known to have stopped is held until it is")],
  },
  {
    name: "nobody passes on the cancel of a stand-in whose server is gone",
    breaks: "G6",
    edits: [
      {
        file: `${ELSEWHERE}/stand-in-keeper.ts`,
        find: "if (stored !== null && isUntold(record, stored.record)) {",
        replace: "if (stored !== null && !isUntold(record, stored.record)) {",
      },
    ],
    killers: [
      byWorld("a cancel that was committed before the server was gone reaches the child", "not within"),
    ],
  },
  {
    name: "the force of a parent's cancel stays in its own database",
    breaks: "C5",
    edits: [{ file: `${ELSEWHERE}/child-elsewhere.ts`, find: "    force,\n", replace: "" }],
    killers: [byWorld("force that comes later is passed on, too", "not within")],
  },
  {
    name: "a repeated start makes another child in the other database",
    breaks: "S4",
    edits: [
      {
        file: `${ELSEWHERE}/stand-in-run.ts`,
        find: "    if (place !== null) return { ...place, tenant: record.tenant };\n",
        replace: "",
      },
      {
        file: `${ELSEWHERE}/child-elsewhere.ts`,
        find: "    requestId: name,",
        replace: '    requestId: "",',
      },
    ],
    killers: [byWorld("another server waits on for a child whose server is gone")],
  },
];
