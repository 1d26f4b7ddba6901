// yandex.cloud.operation.Operation on the hot path: from what is stored straight to protobuf bytes and to ProtoJSON
// text, as operation-encoder.ts does for Google's. What goes in is the service's choice.
//
//   message Operation { string id = 1; string description = 2; Timestamp created_at = 3; string created_by = 4;
//                       Timestamp modified_at = 5; bool done = 6; Any metadata = 7;
//                       oneof result { Status error = 8; Any response = 9; } }
//   message Timestamp { int64 seconds = 1; int32 nanos = 2; }
import type { Registry } from "@bufbuild/protobuf";
import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import { anyToJsonText } from "./any.ts";
import { checkResult, type StatusView, statusText, writePayload, writeStatus } from "./operation-encoder.ts";
import type { Payload } from "./payload.ts";
import { ReverseWriter } from "./reverse-writer.ts";
import { instantText, splitInstant } from "./timestamp-text.ts";

/**
 * What a yandex.cloud.operation.Operation shows. At most one of `error` and `response` is set, and neither before
 * `done`: the protocol allows an early error, and the clients' waiters take it for the end.
 */
export interface YandexOperationView {
  /** 20 characters of `[a-z0-9]`. */
  id: string;
  /** 0-256 characters. */
  description: string;
  createdAt: Instant;
  createdBy: string;
  modifiedAt: Instant;
  done: boolean;
  metadata: Payload | null;
  error: StatusView | null;
  response: Payload | null;
}

/** One page of a resource's ListOperations; an empty token says that it is the last. */
export interface YandexOperationPageView {
  operations: readonly YandexOperationView[];
  nextPageToken: string;
}

/** The yandex.cloud.operation.Operation bytes of a view, field by field what protobuf-es writes. */
export function encodeYandexOperation(view: YandexOperationView): Buffer {
  const writer = new ReverseWriter();
  writeOperation(writer, view);
  return writer.finishPooled();
}

/**
 * The bytes of a page: `{ repeated Operation operations = 1; string next_page_token = 2; }`, the shape that all
 * ListOperations responses have.
 */
export function encodeYandexOperationPage(page: YandexOperationPageView): Buffer {
  const writer = new ReverseWriter();
  if (page.nextPageToken) writer.string(page.nextPageToken, 0x12);
  for (const operation of page.operations.toReversed()) {
    const end = writer.position;
    writeOperation(writer, operation);
    writer.lengthAndTag(end, 0x0a);
  }
  return writer.finishPooled();
}

function writeOperation(writer: ReverseWriter, view: YandexOperationView): void {
  checkView(view);
  if (view.response) writePayload(writer, view.response, 0x4a);
  if (view.error) writeStatus(writer, view.error, 0x42);
  if (view.metadata) writePayload(writer, view.metadata, 0x3a);
  if (view.done) writer.twoBytes(0x30, 1);
  writeInstant(writer, view.modifiedAt, 0x2a);
  if (view.createdBy) writer.string(view.createdBy, 0x22);
  writeInstant(writer, view.createdAt, 0x1a);
  if (view.description) writer.string(view.description, 0x12);
  if (view.id) writer.string(view.id, 0x0a);
}

function writeInstant(writer: ReverseWriter, instant: Instant, tag: number): void {
  const end = writer.position;
  const { seconds, nanos } = splitInstant(instant);
  if (nanos !== 0) writer.int32(nanos, 0x10);
  if (seconds !== 0) writer.int64(seconds, 0x08);
  writer.lengthAndTag(end, tag);
}

function checkView(view: YandexOperationView): void {
  checkResult(view);
  assert(view.done || !(view.error || view.response), "an operation has a result before it is done");
}

/**
 * The ProtoJSON text of a view, but `done` is always written: a client that reads an absent one as undefined waits
 * for ever, or fails. Other defaults are left out; an Any is shown as `anyToJson` does.
 */
export function yandexOperationToJsonText(view: YandexOperationView, registry: Registry): string {
  checkView(view);
  let text = view.id ? `{"id":${JSON.stringify(view.id)},` : "{";
  if (view.description) text += `"description":${JSON.stringify(view.description)},`;
  text += `"createdAt":"${instantText(view.createdAt)}",`;
  if (view.createdBy) text += `"createdBy":${JSON.stringify(view.createdBy)},`;
  text += `"modifiedAt":"${instantText(view.modifiedAt)}","done":${view.done}`;
  if (view.metadata) text += `,"metadata":${anyToJsonText(view.metadata, registry)}`;
  if (view.error) text += `,"error":${statusText(view.error, registry)}`;
  if (view.response) text += `,"response":${anyToJsonText(view.response, registry)}`;
  return `${text}}`;
}

/** The ProtoJSON text of a page. */
export function yandexOperationPageToJsonText(page: YandexOperationPageView, registry: Registry): string {
  const operations = page.operations.map((view) => yandexOperationToJsonText(view, registry));
  const fields: string[] = [];
  if (operations.length > 0) fields.push(`"operations":[${operations.join(",")}]`);
  if (page.nextPageToken) fields.push(`"nextPageToken":${JSON.stringify(page.nextPageToken)}`);
  return `{${fields.join(",")}}`;
}
