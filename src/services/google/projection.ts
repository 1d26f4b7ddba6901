// From what is stored to google.longrunning.Operation, encoded once for each state of an operation.
import { StatusCode } from "../../base/status-code.ts";
import { isDone, type StoredOperation } from "../../engine/operation.ts";
import { emptyPayload } from "../../protocol/empty.ts";
import {
  encodeOperation,
  type OperationView,
  operationToJsonText,
} from "../../protocol/operation-encoder.ts";
import { projectMetadata } from "../declared/operation-metadata.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";

/**
 * The google view of an operation. `error.details` is empty: real REST clients throw on a detail type that they do
 * not know, so the message carries the facts. `metadata` is what the service declared, or absent.
 * An unfinished operation shows neither error nor response, a done one exactly one of them.
 */
export function toOperationView(stored: StoredOperation, declaration: ServiceDeclaration): OperationView {
  const { record } = stored;
  const view: OperationView = {
    name: record.name,
    metadata: projectMetadata(stored, declaration),
    done: isDone(record.state),
    error: null,
    response: null,
  };
  if (!view.done) return view;
  const { outcome } = record;
  if (outcome?.kind === "error") {
    const code = record.state === "CANCELLED" ? StatusCode.CANCELLED : outcome.status.code;
    view.error = { code, message: outcome.status.message, details: [] };
  } else {
    view.response = stored.response ?? emptyPayload;
  }
  return view;
}

// The store hands out the same object as long as the operation is unchanged, so its bytes can be kept with it: a
// client that polls is answered without encoding. They go when the object goes.
const binaries = new WeakMap<StoredOperation, Buffer>();
const texts = new WeakMap<StoredOperation, string>();

/** The operation's protobuf bytes. */
export function operationBinary(stored: StoredOperation, declaration: ServiceDeclaration): Buffer {
  let binary = binaries.get(stored);
  if (binary === undefined) {
    const bytes = encodeOperation(toOperationView(stored, declaration));
    binary = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    binaries.set(stored, binary);
  }
  return binary;
}

/** The operation's ProtoJSON text. */
export function operationJson(stored: StoredOperation, declaration: ServiceDeclaration): string {
  let text = texts.get(stored);
  if (text === undefined) {
    text = operationToJsonText(toOperationView(stored, declaration), declaration.registry);
    texts.set(stored, text);
  }
  return text;
}
