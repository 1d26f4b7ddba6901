// What every client program shares: it runs in a process of its own beside the tour, is told on standard input what to do
// (`start`, `cancel`, `get`, each a line), and answers each with a line of JSON. The packages are those of tests/interop.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../../../tests/interop/package.json", import.meta.url));

/** A package that is installed for the interop tests, without its types: checking those takes longer than the tour. */
export function load(name: string): unknown {
  return require(name);
}

/** What the program was started with: the JSON of its one argument. */
export function settings<Settings>(): Settings {
  return JSON.parse(process.argv[2] ?? "{}") as Settings;
}

/** Answers until standard input ends. An action's error is answered too. */
export async function serveActions(
  actions: Readonly<Record<string, (argument: string) => Promise<unknown>>>,
): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const [word = "", argument = ""] = line.split(" ", 2);
    const action = actions[word];
    let answer: object;
    try {
      answer = { answer: (await action?.(argument)) ?? null };
    } catch (error) {
      answer = { error: error instanceof Error ? error.message : String(error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  // What the library keeps open (channels, timers) is nobody's any more.
  process.exit(0);
}
