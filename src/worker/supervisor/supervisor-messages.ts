// What a worker and its supervisor say to each other, as JSON over the pipe between them.
import type { JsonObject } from "../../protocol/worker-connection.ts";

/** Starts a command. Its marker names it from then on. */
export interface SpawnOrder {
  type: "spawn";
  marker: string;
  /** The operation's name, for the record. */
  operation: string;
  command: readonly string[];
  cwd: string;
  /** The whole environment, the marker included. */
  env: Readonly<Record<string, string>>;
  /** Written to standard input. */
  input: string;
  /** It gets the worker's own standard streams instead; nothing is written or captured. */
  isAttached: boolean;
}

export type SupervisorOrder =
  | SpawnOrder
  /** SIGTERM, then SIGCONT so that a stopped process can act on it. */
  | { type: "terminate"; marker: string }
  /** SIGKILL, to the group and to whatever left it, until nothing is left. */
  | { type: "kill"; marker: string }
  /**
   * The worker's lease is certain until then: nanoseconds of the machine's monotonic clock, as text. When that passes
   * without a later one, the supervisor kills every command by itself. "" takes the limit away.
   */
  | { type: "lease"; endNs: string };

/** The end of an output stream. */
export interface CapturedOutput {
  /** The last 64 KiB at most, as text. */
  tail: string;
  /** All bytes that were written. */
  bytes: number;
}

/** How a command ended. */
export interface CommandExit {
  /** The leader's exit code, or null if a signal ended it. */
  code: number | null;
  signal: string | null;
  /** True if it had not ended when it was told to stop. */
  wasStopped: boolean;
  /** True if the supervisor killed it because the worker's lease had passed. */
  lostLease: boolean;
  stdout: CapturedOutput;
  stderr: CapturedOutput;
}

/** What a command wrote on descriptor 3; of several lines in quick succession the last of each kind. */
export interface CommandNotes {
  progress: { percent: number; message: string } | null;
  checkpoint: JsonObject | null;
  /** A critical section was entered, or (section null) left. */
  critical: { section: string | null } | null;
  /** A line that is none of these, the first one only. */
  unknown: string | null;
}

export type SupervisorNews =
  | { type: "ready" }
  /** It runs, and its record is on disk. */
  | { type: "spawned"; marker: string; pgid: number; startTime: string }
  /** It never ran. */
  | { type: "refused"; marker: string; problem: string }
  | { type: "notes"; marker: string; notes: CommandNotes }
  /** The signals of a `terminate` were sent. */
  | { type: "terminated"; marker: string }
  /** Neither its group nor a descendant of it is left. */
  | { type: "gone"; marker: string; exit: CommandExit };
