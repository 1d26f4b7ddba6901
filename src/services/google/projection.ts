// From what is stored to google.longrunning.Operation, encoded once for each state of an operation.
import type { StoredOperation } from "../../engine/operation.ts";
import {
  encodeOperation,
  type OperationView,
  operationToJsonText,
} from "../../protocol/operation-encoder.ts";
import { projectMetadata } from "../declared/operation-metadata.ts";
import { type EncodeOperation, encodedOnce, resultOf } from "../operation-result.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";

/** The google view of an operation. `metadata` is what the service declared, or absent. */
export function toOperationView(stored: StoredOperation, declaration: ServiceDeclaration): OperationView {
  const { done, error, response } = resultOf(stored);
  return { name: stored.record.name, metadata: projectMetadata(stored, declaration), done, error, response };
}

/** The operation's protobuf bytes. */
export const operationBinary: EncodeOperation<Buffer> = encodedOnce((stored, declaration) => {
  const bytes = encodeOperation(toOperationView(stored, declaration));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
});

/** The operation's ProtoJSON text. */
export const operationJson: EncodeOperation<string> = encodedOnce((stored, declaration) =>
  operationToJsonText(toOperationView(stored, declaration), declaration.registry),
);
