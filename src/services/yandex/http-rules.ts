// Where yandex.cloud.operation.OperationService is served on REST. The protos and the reference cancel by GET, the
// design guide by POST: clients of both kinds exist, so both are served. GET can be switched off, POST cannot.
import type { HttpRule, HttpRules } from "../http-rule.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";

const OPERATION = "/operations/{operation_id}";

/** The rules of a service. Clients that escape the colon of `:cancel` are understood. */
export function yandexHttpRules({
  restPrefix,
  getCancels,
}: Pick<ServiceDeclaration, "restPrefix" | "getCancels">): HttpRules {
  const path = `${restPrefix}${OPERATION}`;
  const cancel: HttpRule[] = [{ post: `${path}:cancel`, body: "*", encodedVerb: true }];
  if (getCancels) cancel.push({ get: `${path}:cancel`, encodedVerb: true });
  return { Get: [{ get: path }], Cancel: cancel };
}
