// What each declared service serves: the operations of its dialect, Belay's own surface, its start methods, and what
// every service has beside them.
import type { Engine } from "../engine/engine.ts";
import { startMethodsOf } from "../services/declared/start-methods.ts";
import { createStartServices } from "../services/declared/start-services.ts";
import { createOperationsService } from "../services/google/operations-service.ts";
import type { ServiceDefinition } from "../services/method.ts";
import {
  createNativeOperationsService,
  createStarterService,
} from "../services/native/operations-service.ts";
import type { StartRules } from "../services/native/start-request.ts";
import type { ServiceDeclaration } from "../services/service-declaration.ts";
import { createYandexOperationService } from "../services/yandex/operation-service.ts";

/** The id of the service that answers where no other one is named. */
export const DEFAULT_SERVICE = "default";

/** A declared service with its protobuf services. */
export interface CatalogEntry {
  declaration: ServiceDeclaration;
  definitions: readonly ServiceDefinition[];
}

/**
 * The operations surface of every declared service, and on yandex what its clients ask first. Throws for a start method
 * that does not fit its declaration.
 */
export function createCatalog(
  engine: Engine,
  declarations: readonly ServiceDeclaration[],
  yandex: readonly ServiceDefinition[],
): CatalogEntry[] {
  const rulesOf = startRulesOf(engine, declarations);
  return declarations.map((declaration) => {
    const rules = rulesOf(declaration);
    const definitions: ServiceDefinition[] = [
      ...(declaration.dialect === "yandex"
        ? [...yandex, createYandexOperationService(engine, declaration), listing(engine, declaration)]
        : [createOperationsService(engine, declaration)]),
      createNativeOperationsService(engine, rules),
      ...createStartServices(engine, declaration),
    ];
    if (declaration.id === DEFAULT_SERVICE) definitions.push(createStarterService(engine, rules));
    return { declaration, definitions };
  });
}

/** What each declared service lets its callers start. */
export function startRulesOf(
  engine: Engine,
  declarations: readonly ServiceDeclaration[],
): (declaration: ServiceDeclaration) => StartRules {
  const claims = new Map(declarations.map((declaration) => [declaration.id, claimedTypes(declaration)]));
  return (declaration) => ({
    declaration,
    clock: engine.clock,
    isStartable: (type) => engine.hasType(type) && mayStart(type, declaration, claims),
    types: () => engine.types.filter((type) => mayStart(type, declaration, claims)),
  });
}

/** The yandex API lists the operations of a resource only: all of them are listed, for operators, over gRPC as elsewhere. */
function listing(engine: Engine, declaration: ServiceDeclaration): ServiceDefinition {
  return createOperationsService(engine, { ...declaration, restMethods: [] });
}

/** The types that a service has for itself. */
function claimedTypes(declaration: ServiceDeclaration): ReadonlySet<string> {
  const started = startMethodsOf(declaration).map(({ type }) => type);
  return new Set([...(declaration.types ?? []), ...started]);
}

/** A service with a list of types starts those; one without starts what no other service claims. */
function mayStart(
  type: string,
  { id, types }: ServiceDeclaration,
  claims: ReadonlyMap<string, ReadonlySet<string>>,
): boolean {
  if (types !== null) return types.includes(type);
  for (const [other, claimed] of claims) if (other !== id && claimed.has(type)) return false;
  return true;
}
