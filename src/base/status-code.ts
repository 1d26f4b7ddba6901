// google.rpc.Code: names, numbers and their HTTP status (google/rpc/code.proto).

/** The 17 codes by name. */
export const StatusCode = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type StatusCodeName = keyof typeof StatusCode;
export type StatusCode = (typeof StatusCode)[StatusCodeName];

const names: readonly StatusCodeName[] = Object.keys(StatusCode) as StatusCodeName[];

// By code number: the comments of google/rpc/code.proto.
const httpStatuses: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

/** The name of a code; "UNKNOWN" for a number that is none. */
export function statusCodeName(code: number): StatusCodeName {
  return names[code] ?? "UNKNOWN";
}

/** The HTTP status that AIP-193 gives a code; 500 for a number that is none. */
export function httpStatusOf(code: number): number {
  return httpStatuses[code] ?? 500;
}
