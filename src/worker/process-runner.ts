// Runs a command under the worker's supervisor, in its own process group, and judges its end.
import { resolve as resolvePath } from "node:path";
import type { OperationAborted } from "../base/abort-reasons.ts";
import type { Logger } from "../base/logger.ts";
import { randomBase36 } from "../base/random.ts";
import { StatusCode } from "../base/status-code.ts";
import { checkJsonLimits, payloadLimits } from "../protocol/json-limits.ts";
import type { Assignment, JsonObject } from "../protocol/worker-connection.ts";
import { CriticalGate } from "./critical-gate.ts";
import type { ProcessDefinition } from "./define-operation.ts";
import { cutText, failureOf } from "./handler-failure.ts";
import { clampPercent, SECTION_MAX } from "./operation-context.ts";
import type { Run, RunEnd, RunListener } from "./runner.ts";
import type { ProcessSupervisor, SupervisedProcess } from "./supervisor/process-supervisor.ts";
import { MARKER_VARIABLE } from "./supervisor/process-table.ts";
import type { CapturedOutput, CommandExit, CommandNotes } from "./supervisor/supervisor-messages.ts";

/** sysexits.h: "temporary failure; the user is invited to try again later". */
const EX_TEMPFAIL = 75;
/** How much of the last line on standard error goes into the operation's error. */
const STDERR_LINE_MAX = 1024;
/** JSON text of one output in the response: two of them, and the rest, are within the payload limit of 256 KiB. */
const OUTPUT_JSON_MAX = 120_000;

const evidence = "PROCESS_EXITED";

/**
 * Starts a command. Its end is told only when its whole group is gone, and every descendant that left the group and
 * could be hunted; if one cannot be killed there is no end, and the cancel ends unconfirmed.
 *
 * An exit after SIGTERM counts as stopped whatever its code: shells exit with 143, many programs with 0, and a 0 that
 * means "I obeyed" looks like a 0 that means "I had just finished". A leader that had exited before the signal was
 * sent has finished, and that stands.
 */
export function runProcess(
  definition: ProcessDefinition,
  assignment: Assignment,
  listener: RunListener,
  supervisor: ProcessSupervisor,
  logger: Logger,
): Run {
  return new ProcessRun(definition, assignment, listener, supervisor, logger);
}

/** The types say so already; operations files are often plain JavaScript, where a text would be spawned by its first letter. */
function isCommand(command: unknown): command is readonly [string, ...string[]] {
  return Array.isArray(command) && command.length > 0 && command.every((word) => typeof word === "string");
}

class ProcessRun implements Run {
  readonly ended: Promise<RunEnd>;
  #end: (end: RunEnd) => void = () => {};
  #process: SupervisedProcess | undefined;
  readonly #gate: CriticalGate;
  readonly #criticalMs: number;
  #leaveSection: (() => void) | undefined;
  #isAborted = false;
  #isKilled = false;
  readonly #listener: RunListener;
  readonly #logger: Logger;
  readonly #operation: string;

  constructor(
    definition: ProcessDefinition,
    assignment: Assignment,
    listener: RunListener,
    supervisor: ProcessSupervisor,
    logger: Logger,
  ) {
    this.#listener = listener;
    this.#logger = logger;
    this.#operation = assignment.name;
    this.#criticalMs = assignment.criticalMs;
    this.#gate = new CriticalGate({
      fire: () => {
        this.#isAborted = true;
        this.#process?.terminate();
      },
      deferred: (section) => listener.deferred(section),
    });
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const { input, name: operation, attempt } = assignment;
    const marker = `${attempt}-${randomBase36(24)}`;
    try {
      const { cwd } = definition;
      const command: unknown =
        typeof definition.command === "function" ? definition.command(input) : definition.command;
      if (!isCommand(command)) {
        this.#refused("its command is not an array of texts, the program first");
        return;
      }
      const order = {
        marker,
        operation,
        command,
        cwd: resolvePath(cwd ?? "."),
        env: { ...environmentOf(definition), BELAY_OPERATION: operation, [MARKER_VARIABLE]: marker },
        input: JSON.stringify(input),
        isAttached: definition.attached !== undefined,
      };
      this.#process = supervisor.run(order, {
        notes: (notes) => this.#note(notes),
        terminated: () => listener.acknowledged(),
        refused: (problem) => this.#refused(problem),
        gone: (exit) => {
          if (exit) definition.attached?.exited(exit);
          this.#end(this.#endOf(exit, definition.attached !== undefined));
        },
      });
    } catch (error) {
      this.#end({ type: "threw", ...failureOf(error, undefined), evidence, mechanism: "NONE" });
    }
  }

  abort(reason: OperationAborted): void {
    this.#gate.abort(reason);
  }

  cut(): void {
    this.#gate.cut();
  }

  escalate(): string {
    this.#isAborted = true;
    this.#isKilled = true;
    this.#process?.kill();
    return "SIGKILL is sent to the process group";
  }

  #note({ progress, checkpoint, critical, unknown }: CommandNotes): void {
    if (progress) {
      this.#listener.progress(clampPercent(progress.percent), cutText(progress.message, STDERR_LINE_MAX));
    }
    if (checkpoint) void this.#checkpoint(checkpoint);
    if (critical) this.#enterOrLeave(critical.section);
    if (unknown !== null)
      this.#warn({ line: unknown }, "a line on descriptor 3 is no progress, checkpoint or critical section");
  }

  /** A command has one section at a time. Leaving it sends the SIGTERM that it held back. */
  #enterOrLeave(section: string | null): void {
    if (section !== null && this.#criticalMs === 0) {
      this.#warn(
        { section },
        "a critical section of a command whose type declares no criticalMs holds nothing back",
      );
      return;
    }
    const leave = this.#leaveSection;
    this.#leaveSection = section === null ? undefined : this.#gate.enter(cutText(section, SECTION_MAX));
    leave?.();
  }

  async #checkpoint(checkpoint: JsonObject): Promise<void> {
    try {
      checkJsonLimits(checkpoint, "checkpoint", payloadLimits);
      await this.#listener.checkpoint(checkpoint);
    } catch (error) {
      this.#warn({ error: String(error) }, "a checkpoint of a command was not stored");
    }
  }

  #warn(fields: JsonObject, message: string): void {
    this.#logger.warn({ operation: this.#operation, ...fields }, message);
  }

  #refused(problem: string): void {
    const message = `the command could not be started: ${problem}`;
    const error = { code: StatusCode.FAILED_PRECONDITION, message: cutText(message, STDERR_LINE_MAX) };
    this.#end({ type: "threw", error, retryable: false, abortCaused: false, evidence, mechanism: "NONE" });
  }

  #endOf(exit: CommandExit | null, isAttached: boolean): RunEnd {
    if (exit === null) return this.#endOfLost();
    if (exit.lostLease) return { type: "stopped", evidence, mechanism: "SIGKILL" };
    if (this.#isAborted && exit.wasStopped) {
      return { type: "stopped", evidence, mechanism: this.#isKilled ? "SIGKILL" : "SIGTERM" };
    }
    if (exit.code === 0)
      return {
        type: "returned",
        response: isAttached ? { exitCode: 0 } : responseOf(exit),
        evidence,
        mechanism: "NONE",
      };
    const retryable = exit.code === EX_TEMPFAIL;
    const error = { code: StatusCode.UNKNOWN, message: messageOf(exit) };
    return { type: "threw", error, retryable, abortCaused: false, evidence, mechanism: "NONE" };
  }

  /** The supervisor is gone, and the exit code with it; the worker has killed the command itself. */
  #endOfLost(): RunEnd {
    if (this.#isAborted) return { type: "stopped", evidence, mechanism: "SIGKILL" };
    const error = {
      code: StatusCode.ABORTED,
      message: "the process supervisor was lost; the command was killed",
    };
    return { type: "threw", error, retryable: true, abortCaused: false, evidence, mechanism: "SIGKILL" };
  }
}

/** PATH, HOME and LANG of the worker and what the definition adds; nothing else of the worker's environment. */
function environmentOf(definition: ProcessDefinition): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of ["PATH", "HOME", "LANG"]) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return { ...env, ...definition.env };
}

function responseOf({ stdout, stderr }: CommandExit): JsonObject {
  return {
    exitCode: 0,
    stdout: fitting(stdout),
    stderr: fitting(stderr),
    stdoutBytes: stdout.bytes,
    stderrBytes: stderr.bytes,
  };
}

/** The end of an output whose JSON text is within its share: control characters take 6 bytes each in JSON. */
function fitting({ tail }: CapturedOutput): string {
  let text = tail;
  for (;;) {
    const excess = Buffer.byteLength(JSON.stringify(text)) - OUTPUT_JSON_MAX;
    if (excess <= 0) return text;
    // A UTF-16 unit takes 6 bytes at most, so this is the least that could do.
    text = text.slice(Math.ceil(excess / 6)).replace(/^[\uDC00-\uDFFF]/, "");
  }
}

function messageOf({ code, signal, stderr }: CommandExit): string {
  const what = code === null ? `the command was ended by ${signal}` : `the command exited with code ${code}`;
  const lines = stderr.tail.split("\n").map((line) => line.trim());
  const last = lines.findLast((line) => line !== "");
  return last ? `${what}: ${cutText(last, STDERR_LINE_MAX)}` : what;
}
