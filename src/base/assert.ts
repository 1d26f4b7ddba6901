// Assertions: a failed one is a bug of ours, never bad input. They stay on in production.

/** Thrown by a failed assertion; answered as INTERNAL, without its text. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

/** Throws an AssertionError when the condition does not hold. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** For the end of an exhaustive switch: the type checker refuses a case left out. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
