// Bugs of several nodes on one store: what is heard of late, twice, in another order, or not at all.
import type { Killer, Mutant } from "./run-mutant.ts";

const COMMANDS = "src/engine/batch/session-commands.ts";
const DIRECTORY = "src/engine/session-directory.ts";
const REMOTE = "src/engine/remote-changes.ts";
const SESSION = "src/engine/session.ts";

function byNodes(title: string, says = "AssertionError"): Killer {
  return { file: "src/engine/nodes.test.ts", title, says };
}

export const nodeMutants: readonly Mutant[] = [
  {
    name: "a node asks for work for a session that has moved",
    breaks: "L3",
    edits: [{ file: COMMANDS, find: "  if (isElsewhere(command, stored)) return moved;\n", replace: "" }],
    killers: [byNodes("a worker that comes to another node goes on there", "not within")],
  },
  {
    name: "a worker that comes back finds what its node knew when it left",
    breaks: "L3",
    edits: [{ file: DIRECTORY, find: "if (known && !hasMoved && ", replace: "if (known && " }],
    killers: [byNodes("a worker that comes back from another node still has")],
  },
  {
    name: "an older sight of an operation takes the place of a newer one",
    breaks: "G6",
    edits: [
      {
        file: SESSION,
        find: "    if (this.#isOld(sight, text)) return;\n",
        replace: "    void this.#isOld;\n",
      },
    ],
    killers: [byNodes("an older sight of an operation that is read late")],
  },
  {
    name: "what is heard of before an own commit is answered is forgotten",
    breaks: "G6",
    edits: [{ file: REMOTE, find: "      this.#noteRecent(text, change.revision);\n", replace: "" }],
    killers: [byNodes("a cancel that is heard of before the grant", "not within")],
  },
  {
    name: "a heartbeat answers only what its node has heard of",
    breaks: "G6",
    edits: [{ file: SESSION, find: "this.#ports.lookAt(this.#toLookAt())", replace: "undefined" }],
    killers: [byNodes("a cancel that no node is told of")],
  },
  {
    name: "a node settles what the others run",
    breaks: "S10",
    edits: [
      {
        file: "src/engine/engine.ts",
        find: " && session.node === node;",
        replace: " && session.node !== null;",
      },
    ],
    killers: [byNodes("an embedded session has a timed lease")],
  },
  {
    name: "a type that another node knows is refused",
    breaks: "L1",
    edits: [
      {
        file: "src/engine/operation-types.ts",
        find: "    await this.load();\n    return this.policyOf(type);",
        replace: "    return this.policyOf(type);",
      },
    ],
    killers: [byNodes("a type that a worker declared at one node", "RpcError")],
  },
];
