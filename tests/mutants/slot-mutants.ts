// Bugs of limits and of the order in which work is given out.
import { byFamily, byStore } from "./killers.ts";
import type { Mutant } from "./run-mutant.ts";

const USERS = "src/engine/batch/slot-users.ts";
const ROOM = "src/stores/slot-room.ts";

export const slotMutants: readonly Mutant[] = [
  {
    name: "more run than the limit says",
    breaks: "R1",
    edits: [
      {
        file: USERS,
        find: "return isUser(record) || slotsOf",
        replace: "return this.#known !== null || slotsOf",
      },
    ],
    killers: [byFamily("a limited type", "R1: ")],
  },
  {
    name: "held work uses no slot",
    breaks: "R1",
    edits: [
      {
        file: USERS,
        find: "(record.lease !== null || record.held !== null)",
        replace: "record.lease !== null",
      },
    ],
    killers: [byFamily("a limited type", "R1: ")],
  },
  {
    name: "a slot is never freed",
    breaks: "R1",
    edits: [{ file: USERS, find: "if (change === 0) return;", replace: "if (change <= 0) return;" }],
    killers: [byFamily("a limited type", "R1: ")],
  },
  {
    name: "a slot of the type is not written down",
    breaks: "R1",
    edits: [
      {
        file: "src/stores/sqlite/decision-writer.ts",
        find: "      else this.#run.putSlot.run(service, tenant, type, concurrencyKey, used);",
        replace:
          '      else if (concurrencyKey !== "") this.#run.putSlot.run(service, tenant, type, concurrencyKey, used);',
      },
    ],
    killers: [byStore("a type runs no more at once than its limit", "AssertionError")],
  },
  {
    name: "what waits for a full key stands in the way of the rest",
    breaks: "L3",
    edits: [
      { file: ROOM, find: 'if (keyLimit > 0 && concurrencyKey !== "") {', replace: "if (keyLimit < 0) {" },
    ],
    killers: [byStore("operations behind 2,000 blocked ones are found", "AssertionError")],
  },
  {
    name: "what waits for a full type stands in the way of other tenants",
    breaks: "L3",
    edits: [
      {
        file: ROOM,
        find: "if (typeLimit > 0) free = typeLimit",
        replace: "if (typeLimit < 0) free = typeLimit",
      },
    ],
    killers: [byStore("a full type with thousands waiting", "AssertionError")],
  },
  {
    name: "an acquire of a batch takes a slot that an earlier one has taken",
    breaks: "R1",
    edits: [
      {
        file: "src/stores/sqlite/pending-search.ts",
        find: "      if (group) room.take(group);\n      return",
        replace: "      return",
      },
    ],
    killers: [
      byStore("an acquire passes over what an earlier one of its batch has filled", "AssertionError"),
    ],
  },
  {
    name: "the oldest start comes first, whatever its priority",
    breaks: "order",
    edits: [
      {
        file: "src/engine/decision.ts",
        find: "return b.priority - a.priority || a.startAfter - b.startAfter;",
        replace: "return a.startAfter - b.startAfter;",
      },
    ],
    killers: [byStore("a higher priority starts first", "AssertionError")],
  },
  {
    name: "the newest start comes first",
    breaks: "order",
    edits: [
      {
        file: "src/engine/decision.ts",
        find: "|| a.startAfter - b.startAfter;",
        replace: "|| b.startAfter - a.startAfter;",
      },
    ],
    killers: [
      byStore("a higher priority starts first", "AssertionError"),
      byStore("acquire grants due operations", "AssertionError"),
    ],
  },
];
