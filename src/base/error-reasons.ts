// The one table of errors that Belay answers: reason -> code and message. docs/reference/errors.md is generated from it.
import { StatusCode } from "./status-code.ts";

/** One row: the google.rpc code, the message with its {parameters}, and when it happens (for the docs). */
export interface ErrorReasonRow {
  code: StatusCode;
  message: string;
  when: string;
}

/** The domain of every ErrorInfo that Belay sends. */
export const ERROR_DOMAIN = "belayd";

/** The reasons by name; the table below must have exactly these rows. */
export type ErrorReason =
  | "INTERNAL_ERROR"
  | "OPERATION_NOT_FOUND"
  | "RECEIPT_NOT_FOUND"
  | "ROUTE_NOT_FOUND"
  | "METHOD_NOT_ALLOWED"
  | "INVALID_NAME"
  | "INVALID_FIELD"
  | "INVALID_JSON"
  | "INVALID_QUERY_PARAMETER"
  | "INVALID_PATH"
  | "INVALID_FILTER"
  | "INVALID_PAGE_TOKEN"
  | "PARTIAL_SUCCESS_UNSUPPORTED"
  | "PAYLOAD_TOO_LARGE"
  | "PAYLOAD_TOO_DEEP"
  | "PAYLOAD_TOO_MANY_KEYS"
  | "OPERATION_TYPE_UNKNOWN"
  | "REQUEST_ID_REUSED"
  | "OPERATION_NOT_CANCELLABLE"
  | "DELETE_REFUSED"
  | "METHOD_NOT_SUPPORTED"
  | "HOST_REFUSED"
  | "CROSS_SITE_REFUSED"
  | "PREFETCH_REFUSED"
  | "CONTENT_TYPE_REFUSED"
  | "STORAGE_FULL"
  | "STORAGE_UNAVAILABLE"
  | "STORAGE_UNREACHABLE"
  | "OVERLOADED"
  | "SHUTTING_DOWN"
  | "DEADLINE_TOO_SHORT"
  | "CALL_CANCELLED"
  | "METADATA_TOO_LARGE"
  | "HEALTH_SERVICE_UNKNOWN"
  | "CREDENTIALS_MISSING"
  | "ACCESS_TOKEN_INVALID"
  | "ACCESS_TOKEN_EXPIRED"
  | "ACCESS_TOKEN_TYPE_UNSUPPORTED"
  | "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
  | "IAM_PERMISSION_DENIED"
  | "IDENTITY_UNAVAILABLE"
  | "CANCEL_NOT_SUPPORTED"
  | "START_NOT_SERVED"
  | "ENDPOINT_NOT_FOUND"
  | "MALFORMED_HTTP"
  | "PARENT_CLOSED"
  | "CHILD_LIMIT"
  | "ETAG_MISMATCH"
  | "NOT_HELD"
  | "FORCE_REFUSED"
  | "INVALID_RESUME_TOKEN"
  | "RESUME_TOKEN_EXPIRED"
  | "WATCH_TOO_SLOW"
  | "WORK_REFUSED"
  | "WORKER_CREDENTIAL"
  | "WORKER_PROTOCOL"
  | "WORKER_TOO_SLOW"
  | "LEASE_LOST"
  | "NOT_RERUNNABLE"
  | "ENCODING_REFUSED"
  | "HTTP2_WITHOUT_GRPC";

/** Every reason. Parameters in braces are repeated in ErrorInfo.metadata under the same name. */
export const errorReasons: Readonly<Record<ErrorReason, ErrorReasonRow>> = {
  INTERNAL_ERROR: {
    code: StatusCode.INTERNAL,
    message: "internal error; the server's log has the details under request {requestId}",
    when: "A bug in the server. Nothing of it is shown to the caller.",
  },
  OPERATION_NOT_FOUND: {
    code: StatusCode.NOT_FOUND,
    message: "operation {name} is not found",
    when: "No operation has this name, or it was deleted, or its retention has passed.",
  },
  RECEIPT_NOT_FOUND: {
    code: StatusCode.NOT_FOUND,
    message: "operation {name} has no receipt: it was never cancelled",
    when: "GetReceipt of an operation without a cancel.",
  },
  ROUTE_NOT_FOUND: {
    code: StatusCode.NOT_FOUND,
    message: "no method is served at {httpMethod} {path}",
    when: "An HTTP path or a gRPC method that the server does not have.",
  },
  METHOD_NOT_ALLOWED: {
    code: StatusCode.UNIMPLEMENTED,
    message: "{httpMethod} is not served at {path}; it takes {allowed}",
    when: "The path exists with other HTTP methods; they are in the Allow header too. HTTP status 405.",
  },
  INVALID_NAME: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "operation name {name} is not of the form {pattern}",
    when: "A name that does not fit the service's pattern.",
  },
  INVALID_FIELD: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "{field}: {problem}",
    when: "A request field with a wrong value; the field and the limit are named.",
  },
  INVALID_JSON: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "the request body is not the JSON that this method takes: {problem}",
    when: "Malformed JSON, an unknown field, or a value of the wrong type.",
  },
  INVALID_QUERY_PARAMETER: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "query parameter {parameter}: {problem}",
    when: "An unknown or malformed query parameter, or one that is refused (a token, a callback).",
  },
  INVALID_PATH: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "the request path is refused: {problem}",
    when: "A path with broken escapes, control characters, empty or dot segments.",
  },
  INVALID_FILTER: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "filter, column {column}: {problem}",
    when: "A filter that is no AIP-160, or names a field or value that it cannot.",
  },
  INVALID_PAGE_TOKEN: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "page_token: {problem}",
    when: "A token that was changed, has expired, or belongs to another request.",
  },
  PARTIAL_SUCCESS_UNSUPPORTED: {
    code: StatusCode.UNIMPLEMENTED,
    message: "return_partial_success is not supported",
    when: "ListOperations with return_partial_success = true (AIP-217).",
  },
  PAYLOAD_TOO_LARGE: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "{field} is {size} bytes; at most {limit} are taken",
    when: "A payload, body or operation above its limit.",
  },
  PAYLOAD_TOO_DEEP: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "{field} is nested deeper than {limit} levels",
    when: "JSON nested too deep.",
  },
  PAYLOAD_TOO_MANY_KEYS: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "{field} has more than {limit} keys and elements",
    when: "JSON with too many keys or elements.",
  },
  OPERATION_TYPE_UNKNOWN: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "operation type {type} is not served here; known types: {known}",
    when: "StartOperation with a type that no handler was registered for.",
  },
  REQUEST_ID_REUSED: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "request_id {requestId} was used with a different request",
    when: "The same request_id with another body (AIP-155).",
  },
  OPERATION_NOT_CANCELLABLE: {
    code: StatusCode.UNIMPLEMENTED,
    message: "operation {name} of type {type} cannot be cancelled",
    when: "Cancel of a type, or an operation, whose policy says cancellable: false.",
  },
  DELETE_REFUSED: {
    code: StatusCode.FAILED_PRECONDITION,
    message: "operation {name} is not done; its type refuses to delete running operations",
    when: "Delete of an unfinished operation whose type has on_delete: refuse.",
  },
  METHOD_NOT_SUPPORTED: {
    code: StatusCode.UNIMPLEMENTED,
    message: "method {method} is not supported",
    when: "A gRPC method that the server does not serve.",
  },
  HOST_REFUSED: {
    code: StatusCode.PERMISSION_DENIED,
    message:
      "host {host} is refused: without identity the server answers only to loopback names and its services' hosts",
    when: "No identity is configured, and Host or :authority is neither a loopback name nor the host of a service.",
  },
  CROSS_SITE_REFUSED: {
    code: StatusCode.PERMISSION_DENIED,
    message: "requests from other web sites are refused",
    when: "A foreign Origin, or Sec-Fetch-Site cross-site or same-site.",
  },
  PREFETCH_REFUSED: {
    code: StatusCode.PERMISSION_DENIED,
    message: "requests that a browser makes ahead of its user (prefetch, prerender, preview) are refused",
    when: "Sec-Purpose, Purpose, X-Purpose or X-Moz says that nobody asked for it yet: a GET may cancel here.",
  },
  CONTENT_TYPE_REFUSED: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "content-type {contentType} is refused; send application/json",
    when: "A REST body that is not declared as JSON. HTTP status 415.",
  },
  STORAGE_FULL: {
    code: StatusCode.RESOURCE_EXHAUSTED,
    message: "the disk is full: the server is read-only until there is room; delete still works",
    when: "The database could not grow.",
  },
  STORAGE_UNAVAILABLE: {
    code: StatusCode.UNAVAILABLE,
    message: "the change could not be committed; its outcome is unknown, retry with the same request_id",
    when: "The database failed during a commit, or the server is stopping.",
  },
  STORAGE_UNREACHABLE: {
    code: StatusCode.UNAVAILABLE,
    message: "the server cannot reach its database; nothing was done, retry later",
    when: "Calls while the database does not answer: they are refused at once, until it does.",
  },
  OVERLOADED: {
    code: StatusCode.RESOURCE_EXHAUSTED,
    message: "{what} is at its limit of {limit}; retry later",
    when: "Too many calls in flight, waiters, or watches, or the server is late. Cancels and deletes are never refused so.",
  },
  SHUTTING_DOWN: {
    code: StatusCode.UNAVAILABLE,
    message: "the server is shutting down",
    when: "A call that arrives, or still waits, while the server stops.",
  },
  DEADLINE_TOO_SHORT: {
    code: StatusCode.DEADLINE_EXCEEDED,
    message: "the call's deadline had passed before it could be served",
    when: "A gRPC call whose deadline is over on arrival.",
  },
  CALL_CANCELLED: {
    code: StatusCode.CANCELLED,
    message: "the caller went away",
    when: "The client dropped the call.",
  },
  METADATA_TOO_LARGE: {
    code: StatusCode.RESOURCE_EXHAUSTED,
    message: "the call's metadata is {size} bytes; at most {limit} are taken",
    when: "gRPC: request metadata above its limit. On HTTP/1.1 too large headers are HTTP status 431.",
  },
  HEALTH_SERVICE_UNKNOWN: {
    code: StatusCode.NOT_FOUND,
    message: "service {service} is not served here",
    when: "grpc.health.v1 Check of a service that the server does not have.",
  },
  CREDENTIALS_MISSING: {
    code: StatusCode.UNAUTHENTICATED,
    message: "the call has no credential: send the header authorization: Bearer TOKEN",
    when: "Identity is configured and the call has no authorization header. HTTP 401 with WWW-Authenticate.",
  },
  ACCESS_TOKEN_INVALID: {
    code: StatusCode.UNAUTHENTICATED,
    message: "the token is refused: {problem}",
    when: "A token with a wrong signature, issuer, audience or algorithm, an unknown or revoked one.",
  },
  ACCESS_TOKEN_EXPIRED: {
    code: StatusCode.UNAUTHENTICATED,
    message: "the token has expired",
    when: "A token after its exp claim. The clocks may differ by 30 s.",
  },
  ACCESS_TOKEN_TYPE_UNSUPPORTED: {
    code: StatusCode.UNAUTHENTICATED,
    message: "authorization of the kind {scheme} is not supported; send Bearer",
    when: "An authorization header that is not Bearer (or Api-Key on a yandex service).",
  },
  ACCESS_TOKEN_SCOPE_INSUFFICIENT: {
    code: StatusCode.PERMISSION_DENIED,
    message: "the token lacks the scope that {method} needs: one of {scopes}",
    when: "A token whose scopes do not open the method. HTTP 403 with WWW-Authenticate.",
  },
  IAM_PERMISSION_DENIED: {
    code: StatusCode.PERMISSION_DENIED,
    message: "Permission '{permission}' denied on resource '{resource}' (or it might not exist).",
    when: "The caller has no grant for the parent of the name; whether the operation exists makes no difference.",
  },
  IDENTITY_UNAVAILABLE: {
    code: StatusCode.UNAVAILABLE,
    message: "the keys of the token's issuer cannot be fetched; retry later",
    when: "The JSON Web Key Set of an issuer is not there, and no earlier one that could be used.",
  },
  CANCEL_NOT_SUPPORTED: {
    code: StatusCode.UNIMPLEMENTED,
    message: "service {service} does not support cancelling operations",
    when: "Cancel of any operation of a service that is declared with cancellable: false.",
  },
  START_NOT_SERVED: {
    code: StatusCode.UNIMPLEMENTED,
    message: "method {method} has no handler: no worker serves the operation type {type}",
    when: "A start method of a declared API whose handler is not registered.",
  },
  ENDPOINT_NOT_FOUND: {
    code: StatusCode.NOT_FOUND,
    message: "API endpoint {endpoint} is not found; known endpoints: {known}",
    when: "yandex.cloud.endpoint: Get of an endpoint that is not in the list.",
  },
  MALFORMED_HTTP: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "the HTTP request is malformed: {problem}",
    when: "Bytes on the connection that are no HTTP/1.1 request. HTTP status 400, 408, 413 or 431.",
  },
  PARENT_CLOSED: {
    code: StatusCode.FAILED_PRECONDITION,
    message: "operation {name} takes no new children: it is cancelled or has ended",
    when: "A handler starts a child after its own operation was cancelled or ended.",
  },
  CHILD_LIMIT: {
    code: StatusCode.RESOURCE_EXHAUSTED,
    message: "operation {name}: {what} is limited to {limit}",
    when: "Too many children, parents of a shared child, or generations.",
  },
  ETAG_MISMATCH: {
    code: StatusCode.ABORTED,
    message: "operation {name} has changed: its etag is {etag}, not {given}",
    when: "A cancel with an etag that is not the operation's present one (AIP-154).",
  },
  NOT_HELD: {
    code: StatusCode.FAILED_PRECONDITION,
    message: "operation {name} holds nothing: no attempt of it is unconfirmed",
    when: "ReleaseHeldOperation of an operation whose work is known to have stopped, or still has its lease.",
  },
  FORCE_REFUSED: {
    code: StatusCode.PERMISSION_DENIED,
    message: "force needs a permission of its own: one of the scopes {scopes}",
    when: "A forced cancel, or the release of held work, by a caller who may only cancel.",
  },
  INVALID_RESUME_TOKEN: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "the resume token is not one that this server gave to this caller",
    when: "A watch with a resume token that was changed, or that is another tenant's.",
  },
  RESUME_TOKEN_EXPIRED: {
    code: StatusCode.OUT_OF_RANGE,
    message:
      "changes after the resume token are no longer kept, or were lost with a restored database; watch anew with `initial`",
    when: "A watch that resumes after its events were removed, or in a database that was restored to an earlier moment.",
  },
  WATCH_TOO_SLOW: {
    code: StatusCode.RESOURCE_EXHAUSTED,
    message: "the watch was ended: the client did not read for {seconds} s; go on from the last resume token",
    when: "A watching client that does not take what is sent to it.",
  },
  WORK_REFUSED: {
    code: StatusCode.PERMISSION_DENIED,
    message: "the caller may not work: {problem}",
    when: "A worker without worker credentials, or with a type that they do not name.",
  },
  WORKER_CREDENTIAL: {
    code: StatusCode.PERMISSION_DENIED,
    message: "{method} is not open to a worker's credential, which is for belay.v1.Workers alone",
    when: "Any other call with a worker's credential.",
  },
  WORKER_PROTOCOL: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "the worker breaks the protocol: {problem}",
    when: "A message that may not come: before Hello, a second Hello, an empty one.",
  },
  WORKER_TOO_SLOW: {
    code: StatusCode.RESOURCE_EXHAUSTED,
    message: "the worker's stream was ended: it did not read for {seconds} s; come back with the session",
    when: "A worker that does not take what is sent to it. Within its lease it may come back.",
  },
  LEASE_LOST: {
    code: StatusCode.ABORTED,
    message: "the attempt is this worker's no more",
    when: "A child that is started by an attempt whose lease was taken away.",
  },
  NOT_RERUNNABLE: {
    code: StatusCode.FAILED_PRECONDITION,
    message: "operation {name} is {state}; only failed and cancelled operations run again",
    when: "RerunOperation of an operation that runs, or that succeeded.",
  },
  ENCODING_REFUSED: {
    code: StatusCode.INVALID_ARGUMENT,
    message: "content-encoding {encoding} is refused; send gzip, deflate or identity",
    when: "A REST body that is compressed in another way, or more than once. HTTP status 415.",
  },
  HTTP2_WITHOUT_GRPC: {
    code: StatusCode.INVALID_ARGUMENT,
    message:
      "HTTP/2 is for gRPC here: content-type {contentType} is refused; send application/grpc, or REST over HTTP/1.1",
    when: "A call over HTTP/2 that is no gRPC. HTTP status 415.",
  },
};
