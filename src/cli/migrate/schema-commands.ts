// belay migrate plan, apply and verify: what they print.
import type { JsonObject } from "@bufbuild/protobuf";
import { MICROS_PER_MS } from "../../base/clock.ts";
import { applyMigrations, type MigrationPlan, planMigrations } from "../../stores/postgres/migrator.ts";
import { checkRows } from "../../stores/postgres/row-check.ts";
import { checkSchema } from "../../stores/postgres/schema-check.ts";
import type { LiveNode } from "../../stores/postgres/schema-state.ts";
import { CliError, exitCodes } from "../exit-codes.ts";
import { type Cell, printJson, printLine, printNote, printTable } from "../output.ts";
import { withDatabase } from "./database.ts";

export interface SchemaCommand {
  /** The URL. */
  store: string;
  isJson: boolean;
}

/** Says what `applySchema` would do, and does nothing. */
export async function planSchema({ store, isJson }: SchemaCommand): Promise<void> {
  const plan = await withDatabase(store, (pool) => planMigrations(pool));
  if (isJson) printJson(planJson(plan));
  else printPlan(plan);
}

/** Takes the missing steps. */
export async function applySchema({ store, isJson }: SchemaCommand): Promise<void> {
  const plan = await withDatabase(store, (pool) => applyMigrations(pool));
  if (isJson) {
    printJson(planJson(plan));
    return;
  }
  for (const { file } of plan.steps) printLine(`applied ${file}`);
  printLine(`database ${plan.database} has schema ${plan.target}`);
}

/** Checks checksums, the schema's objects, and rules across rows. Throws a CliError where something is wrong. */
export async function verifySchema({ store, isJson }: SchemaCommand): Promise<void> {
  const [plan, schema, rows] = await withDatabase(store, async (pool) => {
    const found = await planMigrations(pool);
    if (found.steps.length > 0) {
      const has = found.current === 0 ? "no schema" : `schema ${found.current}`;
      throw new CliError(
        `database ${found.database} has ${has}, and this version of Belay knows ${found.target}: run belay migrate apply first`,
        exitCodes.STORAGE,
      );
    }
    return [found, await checkSchema(pool), await checkRows(pool)] as const;
  });
  const broken = rows.filter(({ violations }) => violations > 0);
  if (isJson) {
    printJson({
      ...planJson(plan),
      schema: { compared: schema.compared, problems: [...schema.problems] },
      rows: rows.map((check) => ({ ...check, examples: [...check.examples] })),
    });
  } else {
    printLine(`schema ${plan.target}: ${schema.compared} objects compared with what the migrations make`);
    for (const problem of schema.problems) printLine(`  ${problem}`);
    printTable(
      ["RULE", "VIOLATIONS"],
      rows.map(({ claim, violations, examples }) => [
        { text: claim },
        violations === 0
          ? { text: "none", style: "green" }
          : { text: `${violations}, such as ${examples.join(", ")}`, style: "red" },
      ]),
    );
  }
  const wrong = schema.problems.length + broken.length;
  if (wrong > 0) throw new CliError(`database ${plan.database}: ${wrong} checks failed`, exitCodes.STORAGE);
}

function printPlan(plan: MigrationPlan): void {
  const { database, current, target, steps, liveNodes, nodesAgainst } = plan;
  if (steps.length === 0) printLine(`database ${database} has schema ${current}: nothing to do`);
  else {
    const has = current === 0 ? "no schema" : `schema ${current}`;
    printLine(`database ${database} has ${has}; belay migrate apply would bring it to ${target}:`);
    printTable(
      ["STEP", "WORKS WITH NODES OF"],
      steps.map(({ file, worksWith }) => [{ text: file }, { text: `schema ${worksWith} or later` }]),
    );
  }
  if (liveNodes.length === 0) return;
  printLine("");
  printTable(
    ["NODE", "HOST", "VERSION", "SCHEMA", "SINCE", "MEANWHILE"],
    liveNodes.map((node) => nodeCells(node, nodesAgainst.includes(node))),
  );
  if (nodesAgainst.length > 0)
    printNote("belay: apply is refused until the nodes that cannot go on are stopped");
}

function nodeCells({ node, host, version, schema, startTime }: LiveNode, isAgainst: boolean): Cell[] {
  const since = new Date(startTime / MICROS_PER_MS).toISOString();
  const texts = [node, host, version, String(schema), since];
  const last: Cell = isAgainst ? { text: "must stop", style: "red" } : { text: "goes on", style: "green" };
  return [...texts.map((text) => ({ text })), last];
}

function planJson(plan: MigrationPlan): JsonObject {
  const node = ({ node, host, version, schema }: LiveNode): JsonObject => ({ node, host, version, schema });
  return {
    database: plan.database,
    current: plan.current,
    target: plan.target,
    steps: plan.steps.map(({ version, file, checksum, worksWith }) => ({
      version,
      file,
      checksum,
      worksWith,
    })),
    liveNodes: plan.liveNodes.map(node),
    nodesAgainst: plan.nodesAgainst.map(node),
  };
}
