// The package's main export: what most programs need of the client, the worker and the server.

export {
  BelayClient,
  BelayError,
  type CancelOptions,
  type CancelResult,
  connect,
  type ListOptions,
  type Operation,
  OperationCancelled,
  OperationError,
  OperationFailed,
  OperationHandle,
  type OperationPage,
  type Receipt,
  responseJson,
  type StartOptions,
  State,
  StopUnconfirmed,
  type WaitOptions,
  type WatchEvent,
  type WatchOptions,
} from "./client/client.ts";
export { createServer } from "./server/server.ts";
export { builtinServices } from "./services/builtin/builtin-services.ts";
export { defineService, type ServiceSettings } from "./services/define-service.ts";
export type { ServiceDeclaration } from "./services/service-declaration.ts";
export {
  defineOperation,
  type JsonObject,
  type OperationContext,
  type OperationDefinition,
  RetryableError,
} from "./worker/worker.ts";
