// Breadth-first search over any model with a finite set of states. Knows nothing of operations: a model says what can
// happen in a state and when two states are the same. The first violation found has the shortest trace.

/** One thing that can happen in a state. */
export interface Edge<State> {
  /** For the trace. */
  label: string;
  next: State;
  /** What the step broke. */
  violations: readonly string[];
  /** True if a healthy world takes this step sooner or later: time passes, timers fire, workers take and finish work. */
  isFair: boolean;
}

export interface Model<State> {
  initial: State;
  /** Two states with one key behave alike: the search looks at the first of them only. */
  key(state: State): string;
  edges(state: State): Iterable<Edge<State>>;
  /** For the trace. */
  describe(state: State): string;
}

export interface SearchResult<State> {
  states: number;
  edges: number;
  /** The reached states, in order of distance. */
  reached: readonly State[];
  /** For each reached state, where its fair steps lead. */
  fairSteps: readonly (readonly number[])[];
  /** The shortest trace to a violation, or null. */
  counterexample: string | null;
  /** The shortest trace to a reached state. */
  traceTo(index: number): string;
}

/** Visits every reachable state once, until a step breaks something. Throws beyond `limit` states. */
export function search<State>(model: Model<State>, limit = 2_000_000): SearchResult<State> {
  const positions = new Map<string, number>([[model.key(model.initial), 0]]);
  const reached: State[] = [model.initial];
  const parents: { from: number; label: string }[] = [{ from: -1, label: "" }];
  const fairSteps: number[][] = [];
  let edges = 0;

  const line = (label: string, state: State): string => `  ${label.padEnd(44)} ${model.describe(state)}`;
  const traceTo = (index: number): string => {
    const steps: string[] = [];
    for (let at = index; at > 0; at = parents[at]!.from)
      steps.unshift(line(parents[at]!.label, reached[at]!));
    return steps.join("\n");
  };
  const visit = (from: number, edge: Edge<State>): number => {
    const key = model.key(edge.next);
    const known = positions.get(key);
    if (known !== undefined) return known;
    if (reached.length >= limit) throw new Error(`more than ${limit} states`);
    positions.set(key, reached.length);
    parents.push({ from, label: edge.label });
    return reached.push(edge.next) - 1;
  };

  for (let index = 0; index < reached.length; index++) {
    const fair = new Set<number>();
    for (const edge of model.edges(reached[index]!)) {
      edges++;
      if (edge.violations.length > 0) {
        const trace = [traceTo(index), line(edge.label, edge.next)].filter((part) => part !== "").join("\n");
        const counterexample = `${edge.violations.join("\n")}\nafter:\n${trace}`;
        return { states: reached.length, edges, reached, fairSteps, counterexample, traceTo };
      }
      const target = visit(index, edge);
      if (edge.isFair) fair.add(target);
    }
    fairSteps.push([...fair]);
  }
  return { states: reached.length, edges, reached, fairSteps, counterexample: null, traceTo };
}

/** The first reached state from which fair steps alone lead to no goal, or null: every state can still come to an end. */
export function findStranded<State>(
  result: SearchResult<State>,
  isGoal: (state: State) => boolean,
): number | null {
  const sources: number[][] = result.reached.map(() => []);
  result.fairSteps.forEach((targets, from) => {
    for (const target of targets) sources[target]!.push(from);
  });
  const open: number[] = [];
  const reaches = new Uint8Array(result.states);
  const mark = (index: number): void => {
    if (reaches[index] === 1) return;
    reaches[index] = 1;
    open.push(index);
  };
  result.reached.forEach((state, index) => {
    if (isGoal(state)) mark(index);
  });
  for (let index = open.pop(); index !== undefined; index = open.pop()) sources[index]!.forEach(mark);
  const stranded = reaches.indexOf(0);
  return stranded === -1 ? null : stranded;
}
