// What is wrong with a service's definition, and where: the path is shown in the message, and leads belay.yaml to a line.

/** Keys and indexes from the outside in: `["services", 1, "hosts", 0]`. */
export type ProblemPath = readonly (string | number)[];

/** One thing that is wrong. */
export interface ServiceProblem {
  readonly path: ProblemPath;
  /** The value, what is wrong with it, and what was expected. */
  readonly problem: string;
}

/** `services[1].hosts[0]`; empty for the whole. */
export function formatProblemPath(path: ProblemPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    return text === "" ? step : `${text}.${step}`;
  }, "");
}

/** A definition that cannot be served. Its message has one line for each problem. */
export class ServiceDeclarationError extends TypeError {
  override name = "ServiceDeclarationError";
  readonly problems: readonly ServiceProblem[];

  constructor(problems: readonly ServiceProblem[]) {
    super(problems.map(({ path, problem }) => `${formatProblemPath(path)}: ${problem}`).join("\n"));
    this.problems = problems;
  }
}

/** A value as a message shows it: JSON, cut at 80 characters. */
export function shown(value: unknown): string {
  const text = asJson(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? `a value of type ${typeof value}`;
  } catch {
    // Circular, or with a bigint in it.
    return `a value of type ${typeof value}`;
  }
}
