// A type that was declared at another server process a moment ago.
import type { Engine } from "../engine/engine.ts";

/** Before a start is checked: looks once more for a type that is not known here. Nothing, and no wait, for a known one. */
export function learnType(engine: Engine, type: string): Promise<void> | undefined {
  return engine.hasType(type) ? undefined : engine.learnTypes();
}
