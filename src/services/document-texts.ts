// Short texts for the documents that services serve about themselves: the comments of protos are not there at run time.
// Keyed by full names. What has no text here is told by its name.

import type { DescMethod } from "@bufbuild/protobuf";
import { operationAnnotationOf } from "../protocol/operation-annotation.ts";

/** Fields that exist in the messages but not here: ListOperations has no partial success. */
export const unservedFields: ReadonlySet<string> = new Set([
  "google.longrunning.ListOperationsRequest.return_partial_success",
  "google.longrunning.ListOperationsResponse.unreachable",
]);

const OPERATION_NAME = "The name of the operation resource.";

const texts: ReadonlyMap<string, string> = new Map([
  ["google.longrunning.Operations.ListOperations", "Lists operations, newest first."],
  ["google.longrunning.Operations.GetOperation", "Gets the latest state of an operation."],
  [
    "google.longrunning.Operations.DeleteOperation",
    "Says that nobody is interested in the result any more. It does not cancel the operation.",
  ],
  [
    "google.longrunning.Operations.CancelOperation",
    "Starts the cancellation of an operation, best effort. Get tells whether it was cancelled, or completed all the same; a cancelled operation stays, with an error of code 1, CANCELLED.",
  ],
  [
    "google.longrunning.Operations.WaitOperation",
    "Waits until an operation is done or the timeout is over, and answers its latest state.",
  ],
  ["google.longrunning.Operation", "A long-running operation: the answer of a method that takes its time."],
  ["google.longrunning.Operation.name", "Assigned by the server; ends with operations/{id}."],
  [
    "google.longrunning.Operation.metadata",
    "What is known of the operation beside its result. Its @type names the message.",
  ],
  [
    "google.longrunning.Operation.done",
    "True once the operation is over: then either error or response is there.",
  ],
  ["google.longrunning.Operation.error", "The result of an operation that failed or was cancelled."],
  ["google.longrunning.Operation.response", "The result of an operation that succeeded."],
  ["google.longrunning.ListOperationsRequest.name", "The collection: operations, below its parent if any."],
  [
    "google.longrunning.ListOperationsRequest.filter",
    'AIP-160, over name, done, type, state, labels, create_time, update_time, created_by: "done = false".',
  ],
  [
    "google.longrunning.ListOperationsRequest.page_size",
    "How many at most, 1-1000; 50 unless given. A page may be shorter.",
  ],
  ["google.longrunning.ListOperationsRequest.page_token", "The nextPageToken of the page before."],
  ["google.longrunning.ListOperationsResponse", "One page of operations."],
  ["google.longrunning.ListOperationsResponse.operations", "The operations of this page."],
  ["google.longrunning.ListOperationsResponse.next_page_token", "For the next page; empty at the end."],
  ["google.longrunning.GetOperationRequest.name", OPERATION_NAME],
  ["google.longrunning.DeleteOperationRequest.name", OPERATION_NAME],
  ["google.longrunning.CancelOperationRequest", "The request of a cancel. Its body is empty."],
  ["google.longrunning.CancelOperationRequest.name", "The name of the operation resource to be cancelled."],
  ["google.longrunning.WaitOperationRequest", "How long to wait."],
  ["google.longrunning.WaitOperationRequest.name", "The name of the operation resource to wait on."],
  [
    "google.longrunning.WaitOperationRequest.timeout",
    "How long to wait at most, for instance 30s; the server's own limit stands.",
  ],
  ["google.rpc.Status", "An error: code, message and details."],
  ["google.rpc.Status.code", "A value of google.rpc.Code; 1 is CANCELLED."],
  ["google.rpc.Status.message", "What went wrong, in English."],
  ["google.rpc.Status.details", "Messages that say more, each with its @type."],
  ["google.protobuf.Empty", "Nothing: an empty JSON object."],
  ["belay.v1.Operations.StartOperation", "Starts an operation; it is stored when this answers."],
  [
    "belay.v1.Operations.GetOperation",
    "Shows everything that is known of an operation: state, attempts, progress, cancellation, checkpoint.",
  ],
  ["belay.v1.Operations.CancelOperation", "Requests cancellation and says what the request met."],
  [
    "belay.v1.Operations.GetReceipt",
    "Reads the durable record of a cancel: who, why, how the work stopped, and how that is known.",
  ],
  [
    "belay.v1.OperationStarter.StartOperation",
    "Starts an operation, and answers it as a google.longrunning.Operation.",
  ],
  ["belay.v1.StartOperationRequest.type", "The operation type, as its handler declares it."],
  ["belay.v1.StartOperationRequest.payload", "The handler's input, a JSON object of at most 256 KiB."],
  [
    "belay.v1.StartOperationRequest.request_id",
    "Makes the start idempotent: the same id answers the same operation.",
  ],
  ["belay.v1.CancelOperationRequest.reason", "Why; the handler and the receipt are told."],
  ["belay.v1.CancelOperationRequest.grace", "How long the handler may take to stop by itself."],
  ["belay.v1.CancelOperationRequest.wait", "Answer when the operation is done, or after this time."],
  ["belay.v1.CancelOperationResponse.verdict", "What the request met."],
  ["yandex.cloud.operation.OperationService.Get", "Returns the specified operation."],
  [
    "yandex.cloud.operation.OperationService.Cancel",
    "Cancels the specified operation, best effort, and returns it as it then is.",
  ],
  ["yandex.cloud.operation.Operation", "An operation, with its result once it is done."],
  ["yandex.cloud.operation.Operation.id", "ID of the operation."],
  ["yandex.cloud.operation.Operation.description", "What it is for, 0-256 characters."],
  ["yandex.cloud.operation.Operation.created_at", "When it was created."],
  ["yandex.cloud.operation.Operation.created_by", "Who initiated it: a user or a service account."],
  ["yandex.cloud.operation.Operation.modified_at", "When it was last modified."],
  ["yandex.cloud.operation.Operation.done", "False: in progress. True: either error or response is there."],
  [
    "yandex.cloud.operation.Operation.metadata",
    "What is known beside the result. Its @type names the message.",
  ],
  ["yandex.cloud.operation.Operation.error", "The result in case of failure or cancellation."],
  ["yandex.cloud.operation.Operation.response", "The result in case of success."],
  ["yandex.cloud.operation.GetOperationRequest.operation_id", "ID of the operation to return."],
  ["yandex.cloud.operation.CancelOperationRequest.operation_id", "ID of the operation to cancel."],
  [
    "yandex.cloud.iam.v1.IamTokenService.Create",
    "Exchanges an OAuth token or a signed JWT for an IAM token.",
  ],
  ["yandex.cloud.iam.v1.IamTokenService.Revoke", "Revokes an IAM token."],
  ["yandex.cloud.endpoint.ApiEndpointService.List", "Lists the endpoints of the services."],
  ["yandex.cloud.endpoint.ApiEndpointService.Get", "Returns the endpoint of a service."],
]);

/** OAuth scopes that have a meaning of their own elsewhere. */
const scopeTexts: ReadonlyMap<string, string> = new Map([
  ["https://www.googleapis.com/auth/cloud-platform", "Full access to the operations of this service"],
  ["https://www.googleapis.com/auth/ediscovery", "Manage eDiscovery data and its operations"],
  ["https://www.googleapis.com/auth/ediscovery.readonly", "View eDiscovery data and its operations"],
]);

/** The text of a method, message or field by its full name; undefined if it has none. */
export function textOf(fullName: string): string | undefined {
  return texts.get(fullName);
}

/** What a method does: its text, else what its operation annotation says, else its name. */
export function methodText(desc: DescMethod): string {
  const text = texts.get(`${desc.parent.typeName}.${desc.name}`);
  if (text !== undefined) return text;
  const annotation = operationAnnotationOf(desc);
  if (annotation === null) return `Calls ${desc.parent.typeName}.${desc.name}.`;
  const { responseType, metadataType } = annotation;
  const metadata = metadataType === "" ? "" : `, its metadata ${metadataType}`;
  return `Starts a long-running operation. Its response is ${responseType || "Empty"}${metadata}.`;
}

/** What a scope opens. */
export function scopeText(scope: string): string {
  return scopeTexts.get(scope) ?? `Access with the scope ${scope}`;
}
