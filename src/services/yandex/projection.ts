// From what is stored to yandex.cloud.operation.Operation, encoded once for each state of an operation.
import type { StoredOperation } from "../../engine/operation.ts";
import {
  encodeYandexOperation,
  type YandexOperationView,
  yandexOperationToJsonText,
} from "../../protocol/yandex-operation-encoder.ts";
import { projectMetadata } from "../declared/operation-metadata.ts";
import { type EncodeOperation, encodedOnce, resultOf } from "../operation-result.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";

/** The yandex view of an operation. */
export function toYandexView(stored: StoredOperation, declaration: ServiceDeclaration): YandexOperationView {
  const { record } = stored;
  const { done, error, response } = resultOf(stored);
  return {
    id: record.id,
    description: record.description,
    createdAt: record.createTime,
    createdBy: record.createdBy,
    modifiedAt: record.updateTime,
    done,
    metadata: projectMetadata(stored, declaration),
    error,
    response,
  };
}

/** The operation's protobuf bytes. */
export const yandexOperationBinary: EncodeOperation<Buffer> = encodedOnce((stored, declaration) =>
  encodeYandexOperation(toYandexView(stored, declaration)),
);

/** The operation's ProtoJSON text, with `done` always written. */
export const yandexOperationJson: EncodeOperation<string> = encodedOnce((stored, declaration) =>
  yandexOperationToJsonText(toYandexView(stored, declaration), declaration.registry),
);
