// docs/reference/conformance.md, made from what a run of the suite came to. Nothing is read or written here.
import { type Requirement, requirements } from "./requirement-list.ts";
import { type Row, titleOf } from "./row.ts";

/** How a row ended: null is good, anything else says why not. */
export type Outcome = string | null;

const HEAD = `# Conformance

<!-- Made by scripts/write-conformance.ts from a run of tests/conformance/requirements: change those, not this page. -->

What clients of \`google.longrunning.Operations\` and of \`yandex.cloud.operation.OperationService\` may rely on, requirement by
requirement, and whether a run of the suite found it so. A row is one rule on one service and transport, with one input; the titles
of its tests begin with the rule.

\`npm test\` runs the suite on a server of its own. It runs against any other as well:

\`\`\`sh
belay serve --config tests/conformance/requirements/belay.yaml --data ./conformance-data
BELAY_CONFORMANCE_URL=http://127.0.0.1:8080 node tests/conformance/requirements/requirements.test.ts
\`\`\`

A service that has a port of its own is named with it: \`BELAY_CONFORMANCE_URL='{"default": "http://127.0.0.1:8080", "vault":
"http://127.0.0.1:8081"}'\`. The server must run the operations and know the tokens of that \`belay.yaml\`; over TLS, name its CA in
\`NODE_EXTRA_CA_CERTS\`. Rows that need a hand inside the server are skipped then, and say so.
`;

/** The page's whole text. `outcomes` has every row's, by title. */
export function conformancePage(rows: readonly Row[], outcomes: ReadonlyMap<string, Outcome>): string {
  const sections = Map.groupBy(requirements, ({ section }) => section);
  const parts = [...sections].map(([name, list]) => {
    const lines = list.map((requirement) => lineOf(requirement, rows, outcomes));
    return `## ${name}\n\n| | requirement | from | state | rows |\n|---|---|---|---|---|\n${lines.join("\n")}\n`;
  });
  return [HEAD, summary(rows, outcomes), ...parts, ...failed(rows, outcomes)].join("\n");
}

function summary(rows: readonly Row[], outcomes: ReadonlyMap<string, Outcome>): string {
  const good = rows.filter((row) => outcomes.get(titleOf(row)) === null).length;
  const leftOut = requirements.filter((one) => one.leftOut !== undefined).map(({ rule }) => `R${rule}`);
  return `${good} of ${rows.length} rows hold. Left out: ${leftOut.join(", ")}.\n`;
}

function lineOf(
  { rule, asks, source, note, leftOut }: Requirement,
  rows: readonly Row[],
  outcomes: ReadonlyMap<string, Outcome>,
): string {
  const own = rows.filter((row) => row.rule === rule);
  const bad = own.filter((row) => outcomes.get(titleOf(row)) !== null).length;
  const text = note === undefined ? asks : `${asks} *Here: ${note}.*`;
  const state =
    leftOut !== undefined ? "left out" : bad > 0 || own.length === 0 ? `**fails** (${bad})` : "holds";
  const where = leftOut === undefined ? placesOf(own) : `${leftOut}.`;
  return `| R${rule} | ${cell(text)} | ${cell(source)} | ${state} | ${cell(where)} |`;
}

/** `14: default, vault (gRPC, REST); yandex (REST)`. */
function placesOf(rows: readonly Row[]): string {
  const byService = new Map<string, Set<string>>();
  for (const { place } of rows) {
    const [service, transport] = place;
    byService.set(service, (byService.get(service) ?? new Set()).add(transport === "grpc" ? "gRPC" : "REST"));
  }
  const byTransports = new Map<string, string[]>();
  for (const [service, transports] of byService) {
    const key = [...transports].sort().join(", ");
    byTransports.set(key, [...(byTransports.get(key) ?? []), service]);
  }
  const groups = [...byTransports].map(([transports, services]) => `${services.join(", ")} (${transports})`);
  return `${rows.length}: ${groups.join("; ")}`;
}

function failed(rows: readonly Row[], outcomes: ReadonlyMap<string, Outcome>): string[] {
  const lines = rows.flatMap((row) => {
    const title = titleOf(row);
    const outcome = outcomes.get(title);
    return outcome === null ? [] : [`- ${title}\n  (${outcome ?? "did not run"})`];
  });
  return lines.length === 0 ? [] : [`## What fails\n\n${lines.join("\n")}\n`];
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("**", "\\*\\*");
}
