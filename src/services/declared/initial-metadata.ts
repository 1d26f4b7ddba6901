// The metadata that an operation starts with: what its request already tells of it. Times, progress and state are filled
// in when it is read (operation-metadata.ts).
import { create, type DescField, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import type { Payload } from "../../engine/operation.ts";
import { typeUrlOf } from "../../protocol/typed-payload.ts";
import { kebabCase, type StartMethod } from "./start-methods.ts";

/** Longer values are left out: metadata is sent with every Get. Bytes, or UTF-16 units of a text. */
const COPIED_MAX = 4096;

/** Makes the metadata of a request, or null where the method declares none. */
export type InitialMetadata = (request: ReflectMessage) => Payload | null;

/**
 * What every call of a method starts with: a message of the metadata type in which each singular field is set that the
 * request has under the same name and type (Yandex: the resource's id). Of AutoML's kind of metadata, where a oneof of
 * empty messages tells the method, `create_model_details` or `delete_details` is set too.
 */
export function initialMetadataOf({ desc, metadata }: StartMethod): InitialMetadata {
  if (metadata === null) return () => null;
  const copied = metadata.fields.flatMap((target) => {
    const source = desc.input.fields.find((field) => isCopied(field, target));
    return source === undefined ? [] : [{ source, target }];
  });
  const details = metadata.fields.filter((field) => isDetailsOf(field, desc.name));
  return (request) => {
    const message = reflect(metadata, create(metadata));
    for (const { source, target } of copied) {
      const value: unknown = request.isSet(source) ? request.get(source) : undefined;
      if (value !== undefined && isSmall(source, value)) message.set(target, value);
    }
    for (const field of details) {
      if (field.fieldKind === "message") message.set(field, reflect(field.message, create(field.message)));
    }
    return { typeUrl: typeUrlOf(metadata), bytes: toBinary(metadata, message.message) };
  };
}

function isCopied(source: DescField, target: DescField): boolean {
  if (source.name !== target.name || source.fieldKind !== target.fieldKind) return false;
  switch (source.fieldKind) {
    case "scalar":
      return source.scalar === target.scalar;
    case "enum":
      return source.enum.typeName === target.enum?.typeName;
    case "message":
      return source.message.typeName === target.message?.typeName;
    default:
      return false;
  }
}

function isSmall(field: DescField, value: unknown): boolean {
  if (field.fieldKind === "message") {
    const { message } = value as ReflectMessage;
    return toBinary(field.message, message).length <= COPIED_MAX;
  }
  if (typeof value === "string" || value instanceof Uint8Array) return value.length <= COPIED_MAX;
  return true;
}

/** `create_model_details` for CreateModel, `delete_details` for DeleteModel: an empty message within a oneof. */
function isDetailsOf(field: DescField, method: string): boolean {
  if (field.fieldKind !== "message" || field.oneof === undefined || !isEmptyMessage(field.message))
    return false;
  const words = kebabCase(method).split("-");
  return field.name === `${words.join("_")}_details` || field.name === `${words[0]}_details`;
}

function isEmptyMessage(desc: DescMessage): boolean {
  return desc.fields.length === 0;
}
