// An operation with its children, as GetOperation and most other methods answer it.
import type { Engine } from "../../engine/engine.ts";
import type { OperationDetail, OperationKey } from "../../engine/operation.ts";
import type { ChildSummary } from "../../engine/store.ts";
import type { Operation } from "../../protocol/gen/belay/v1/operations_pb.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { projectOperation } from "./projection.ts";

/** How many children an answer names. */
export const CHILDREN_SHOWN_MAX = 100;

/** belay.v1.Operation of everything that is known, children included: at most 100 of them. */
export async function shownOperation(
  engine: Engine,
  detail: OperationDetail,
  { registry }: ServiceDeclaration,
): Promise<Operation> {
  return projectOperation(detail, registry, await childrenOf(engine, detail));
}

/** An operation's first 100 children; nothing is read for one that has none. */
export async function childrenOf(
  engine: Engine,
  { record }: OperationDetail,
): Promise<readonly ChildSummary[]> {
  if (record.children === null || record.children.started === 0) return [];
  const { service, tenant, name }: OperationKey = record;
  return engine.children({ service, tenant, name }, CHILDREN_SHOWN_MAX);
}
