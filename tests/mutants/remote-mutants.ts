// Bugs of remote workers: the protocol on the server's side, the connection on the worker's, and who may work at all.
import type { Killer, Mutant } from "./run-mutant.ts";

const ATTEMPTS = "src/worker/remote-connection-attempts.ts";
const HELLO = "src/services/worker/worker-hello.ts";
const REMOTE = "src/worker/remote-connection-session.ts";
const STREAM = "src/services/worker/worker-stream.ts";

function byAssertion(file: string): (title: string, says?: string) => Killer {
  return (title, says = "AssertionError") => ({ file, title, says });
}

const byService = byAssertion("src/services/worker/workers-service.test.ts");
const byHello = byAssertion("src/services/worker/worker-hello.test.ts");
const byAuthorize = byAssertion("src/server/interceptors/authorize.test.ts");
const byConnection = byAssertion("src/worker/remote-connection.test.ts");
const byAttempts = byAssertion("src/worker/remote-connection-attempts.test.ts");
const byForce = byAssertion("src/services/native/force-permission.test.ts");
const byBulk = byAssertion("src/services/native/cancel-operations/cancel-operations.test.ts");

const server: readonly Mutant[] = [
  {
    name: "a worker that comes back does not hear what it lost",
    breaks: "S9",
    edits: [
      {
        file: STREAM,
        find: "this.#welcome(resumed.session, hello, lost);",
        replace: "this.#welcome(resumed.session, hello, lost.slice(0, 0));",
      },
    ],
    killers: [byService("a worker that comes back hears what it lost")],
  },
  {
    name: "a heartbeat's answer on the wire leaves the open cancels out",
    breaks: "G6",
    edits: [{ file: STREAM, find: "cancels: cancels.map(", replace: "cancels: cancels.slice(0, 0).map(" }],
    killers: [byService("a cancel is pushed at once, and every heartbeat's answer")],
  },
  {
    name: "a report is acknowledged before it is durable",
    breaks: "G9",
    edits: [
      {
        file: STREAM,
        find: "const { outcome, error } = await this.#commit(report, session);",
        replace:
          "void this.#commit(report, session);\n    const { outcome, error }: ReportAnswer = { outcome: Ack_Outcome.ACCEPTED };",
      },
    ],
    killers: [byService("a report that is wrong in itself is refused")],
  },
  {
    name: "what was lost is acknowledged as taken",
    breaks: "S9",
    edits: [
      {
        file: "src/services/worker/worker-report.ts",
        find: "      return { outcome: Ack_Outcome.LEASE_LOST };",
        replace: "      return { outcome: Ack_Outcome.ACCEPTED };",
      },
    ],
    killers: [byService("what is returned unbegun goes to the next worker")],
  },
  {
    name: "a broken stream ends its session",
    breaks: "L3",
    edits: [
      {
        file: STREAM,
        find: "    this.#session?.detach(this);\n",
        replace:
          "    this.#session?.detach(this);\n    if (this.#session) void this.#parts.engine.closeSession(this.#session.id);\n",
      },
    ],
    killers: [byService("a worker that comes back hears what it lost", "not within")],
  },
];

const permissions: readonly Mutant[] = [
  {
    name: "a worker's credential opens every method",
    breaks: "T2",
    edits: [
      {
        file: "src/server/interceptors/authorize.ts",
        find: '      if (isWorker) throw new RpcError("WORKER_CREDENTIAL", { method: method.fullName });\n',
        replace: "",
      },
    ],
    killers: [byAuthorize("a worker with identity and kind cancel")],
  },
  {
    name: "every caller may work",
    breaks: "T2",
    edits: [
      {
        file: "src/server/interceptors/authorize.ts",
        find: "if (hasIdentity && !isWorker) {",
        replace: "if (!hasIdentity && !isWorker) {",
      },
    ],
    killers: [byAuthorize("a caller with identity and kind work")],
  },
  {
    name: "a worker serves types that its credential does not name",
    breaks: "T2",
    edits: [{ file: HELLO, find: "  checkWorkable([...names], principal);\n", replace: "" }],
    killers: [byHello("may not work on", "AssertionError")],
  },
  {
    name: "the credential for ocr.* serves ocrx, too",
    breaks: "T2",
    edits: [
      {
        file: HELLO,
        find: "type.startsWith(named.slice(0, -1))",
        replace: "type.startsWith(named.slice(0, -2))",
      },
    ],
    killers: [byHello("does not take ab.c")],
  },
  {
    name: "a worker takes the server's own types",
    breaks: "T2",
    edits: [
      {
        file: HELLO,
        find: "  if (isSystemType(type)) throw invalidField(`${at}.type`, `${type} is the server's own`);\n",
        replace: "",
      },
    ],
    killers: [byHello("a hello with a type of the server's own")],
  },
  {
    name: "whoever may cancel may use force",
    breaks: "T2",
    edits: [
      {
        file: "src/services/native/cancel-operation.ts",
        find: "  if (request.force) checkForce(context, declaration);\n",
        replace: "",
      },
    ],
    killers: [byForce("a token that may only cancel may not force")],
  },
  {
    name: "whoever may cancel may cancel many by force",
    breaks: "T2",
    edits: [
      {
        file: "src/services/native/cancel-operations/cancel-operations.ts",
        find: "  if (request.force) checkForce(context, declaration);\n",
        replace: "",
      },
    ],
    killers: [byForce("a token that may only cancel may not force")],
  },
  {
    name: "anybody may say that held work is gone",
    breaks: "T2",
    edits: [
      {
        file: "src/services/native/change-operations.ts",
        find: "      checkForce(context, declaration);\n",
        replace: "",
      },
    ],
    killers: [byForce("a token that may only cancel may not force")],
  },
  {
    name: "an operator's word ends what has its lease",
    breaks: "G2",
    edits: [
      {
        file: "src/engine/transitions/override.ts",
        find: "if (record.held === null) return refuse",
        replace: "if (record.held === null && record.lease === null) return refuse",
      },
    ],
    killers: [
      {
        file: "tests/simulation/stories.test.ts",
        title: "an override frees the slot, says who said so",
        says: "AssertionError",
      },
    ],
  },
];

const connection: readonly Mutant[] = [
  {
    name: "the handler runs before the server knows that it begins",
    breaks: "G5",
    edits: [
      {
        file: ATTEMPTS,
        find: "const outcome = await this.#begin(assignment);",
        replace:
          'const begun = this.#begin(assignment);\n    const outcome: ReportOutcome = begun ? "accepted" : await begun;',
      },
    ],
    killers: [byAttempts("a handler runs once the server knows that it begins")],
  },
  {
    name: "a handler whose begin was refused runs all the same",
    breaks: "G5",
    edits: [
      {
        file: ATTEMPTS,
        find: 'if (outcome !== "accepted") {',
        replace: 'if (outcome === "NOT_RETRYABLE") {',
      },
    ],
    killers: [byAttempts("what the server refuses to begin never runs")],
  },
  {
    name: "a cancel that comes before the begin is acknowledged is dropped",
    breaks: "G6",
    edits: [{ file: ATTEMPTS, find: "    else attempt.cancel = notice;\n", replace: "" }],
    killers: [byAttempts("a cancel that comes before the acknowledgement")],
  },
  {
    name: "a report that was on its way when the stream broke is lost",
    breaks: "S12",
    edits: [{ file: REMOTE, find: "    this.#reports.resend();\n", replace: "" }],
    killers: [byConnection("a broken stream loses nothing")],
  },
  {
    name: "what a worker lost meanwhile runs on",
    breaks: "S9",
    edits: [
      {
        file: REMOTE,
        find: '    for (const attempt of lost) this.#attempts.revoked({ ...fromWireAttempt(attempt), reason: "lease-lost" });\n',
        replace: "",
      },
    ],
    killers: [byConnection("an attempt whose time was over during the break", "not within")],
  },
  {
    name: "the lease is counted from the answer, not from the heartbeat",
    breaks: "G2",
    edits: [
      {
        file: "src/worker/remote-connection-lease.ts",
        find: "    this.#renew(beat.sentMs);\n",
        replace: "    this.#renew(Math.max(beat.sentMs, monotonicMs()));\n",
      },
    ],
    killers: [
      {
        file: "src/worker/remote-connection-lease.test.ts",
        title: "an answer renews the lease from the time at which its heartbeat was sent",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "an answer on a new stream renews by a heartbeat of the old one",
    breaks: "G2",
    edits: [
      {
        file: "src/worker/remote-connection-lease.ts",
        find: "    this.#beats = [];\n  }\n\n  stop",
        replace: "  }\n\n  stop",
      },
    ],
    killers: [
      {
        file: "src/worker/remote-connection-lease.test.ts",
        title: "a new stream answers nothing of the old one",
        says: "AssertionError",
      },
    ],
  },
];

const bulk: readonly Mutant[] = [
  {
    name: "a cancel of many counts twice what a crash cut off",
    breaks: "S12",
    edits: [
      {
        file: "src/services/native/cancel-operations/cancel-run.ts",
        find: '    if (cancel?.origin === this.#origin) return ownVerdict(cancel.evidence === "NEVER_STARTED");\n',
        replace: "",
      },
    ],
    killers: [byBulk("a batch in which the server died is looked at one by one")],
  },
  {
    name: "a cancel of many forgets the batch in which the server died",
    breaks: "S12",
    edits: [
      {
        file: "src/services/native/cancel-operations/cancel-run.ts",
        find: "  await run.finishBatch();\n",
        replace: "",
      },
    ],
    killers: [byBulk("a batch in which the server died is looked at one by one")],
  },
];

export const remoteMutants: readonly Mutant[] = [...server, ...permissions, ...connection, ...bulk];
