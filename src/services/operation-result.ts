// How an operation stands, as every dialect shows it, and its encoded form, made once for each state.
import { StatusCode } from "../base/status-code.ts";
import { isDone, type Payload, type StatusValue, type StoredOperation } from "../engine/operation.ts";
import { emptyPayload } from "../protocol/empty.ts";
import type { ServiceDeclaration } from "./service-declaration.ts";

/** What an operation says of its end. */
export interface OperationResult {
  done: boolean;
  error: StatusValue | null;
  response: Payload | null;
}

/**
 * An unfinished operation shows neither error nor response, a done one exactly one of them. `error.details` is empty:
 * real REST clients throw on a detail type that they do not know, so the message carries the facts.
 */
export function resultOf({ record, response }: StoredOperation): OperationResult {
  const result: OperationResult = { done: isDone(record.state), error: null, response: null };
  if (!result.done) return result;
  const { outcome } = record;
  if (outcome?.kind === "error") {
    const code = record.state === "CANCELLED" ? StatusCode.CANCELLED : outcome.status.code;
    result.error = { code, message: outcome.status.message, details: [] };
  } else {
    result.response = response ?? emptyPayload;
  }
  return result;
}

/** Encodes an operation for clients of its service. */
export type EncodeOperation<Encoded extends object | string> = (
  stored: StoredOperation,
  declaration: ServiceDeclaration,
) => Encoded;

/**
 * Keeps what `encode` made. The store hands out the same object as long as the operation is unchanged, so its encoded form
 * can be kept with it: a client that polls is answered without encoding. It goes when the object goes.
 */
export function encodedOnce<Encoded extends object | string>(
  encode: EncodeOperation<Encoded>,
): EncodeOperation<Encoded> {
  const kept = new WeakMap<StoredOperation, Encoded>();
  return (stored, declaration) => {
    let encoded = kept.get(stored);
    if (encoded === undefined) {
      encoded = encode(stored, declaration);
      kept.set(stored, encoded);
    }
    return encoded;
  };
}
