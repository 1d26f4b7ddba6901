// From what is stored to yandex.cloud.operation.Operation, encoded once for each state of an operation.
import { StatusCode } from "../../base/status-code.ts";
import { isDone, type StoredOperation } from "../../engine/operation.ts";
import { emptyPayload } from "../../protocol/empty.ts";
import {
  encodeYandexOperation,
  type YandexOperationView,
  yandexOperationToJsonText,
} from "../../protocol/yandex-operation-encoder.ts";
import { projectMetadata } from "../declared/operation-metadata.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";

/**
 * The yandex view of an operation. An unfinished one shows neither error nor response, a done one exactly one of
 * them. `error.details` is empty, as in the google view: the message carries the facts.
 */
export function toYandexView(stored: StoredOperation, declaration: ServiceDeclaration): YandexOperationView {
  const { record } = stored;
  const view: YandexOperationView = {
    id: record.id,
    description: record.description,
    createdAt: record.createTime,
    createdBy: record.createdBy,
    modifiedAt: record.updateTime,
    done: isDone(record.state),
    metadata: projectMetadata(stored, declaration),
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
export function yandexOperationBinary(stored: StoredOperation, declaration: ServiceDeclaration): Buffer {
  let binary = binaries.get(stored);
  if (binary === undefined) {
    binary = encodeYandexOperation(toYandexView(stored, declaration));
    binaries.set(stored, binary);
  }
  return binary;
}

/** The operation's ProtoJSON text, with `done` always written. */
export function yandexOperationJson(stored: StoredOperation, declaration: ServiceDeclaration): string {
  let text = texts.get(stored);
  if (text === undefined) {
    text = yandexOperationToJsonText(toYandexView(stored, declaration), declaration.registry);
    texts.set(stored, text);
  }
  return text;
}
