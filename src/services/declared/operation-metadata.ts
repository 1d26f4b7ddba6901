// The metadata that a service declares for its operations, filled in from what is stored. Only stored facts go in, never a
// clock that ticks: clients take changed bytes for progress (google-gax), so equal states must give equal bytes.
import {
  create,
  type DescEnum,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import type { OperationRecord, Payload, StoredOperation } from "../../engine/operation.ts";
import { typeNameOf } from "../../protocol/typed-payload.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { timestampOf } from "../wire-time.ts";

const TYPE_URL_PREFIX = "type.googleapis.com/";

/** Messages within messages; a Struct 100 levels deep takes 200. */
const RECURSION_MAX = 256;

/**
 * The metadata of an operation as its service shows it, or null for none: the message stored at the start, or else an
 * empty one of the service's own metadata type, with these fields filled in where the type has them:
 *
 * | field | from |
 * |---|---|
 * | `create_time`, `created_at` | the start |
 * | `update_time`, `updated_at`, `modified_at` | the last visible change |
 * | `start_time`, `started_at` | the current attempt's start; where the type has no creation time, the operation's |
 * | `end_time`, `finished_at` | the end |
 * | `progress_percent`, `progress_percentage`, `progress` (numbers) | the handler's progress, 0-100; 100 after success |
 * | `status_message`, `status_detail` | the handler's progress message |
 * | `requested_cancellation`, `cancel_requested` | whether a cancel was committed, by a caller or by a rule |
 * | `state` (an enum) | the state, if the enum has a value of its name |
 *
 * Not cached: it is as good as the object that it is made from, so the caller keeps it with that.
 */
export function projectMetadata(stored: StoredOperation, declaration: ServiceDeclaration): Payload | null {
  const { metadata } = stored;
  if (metadata === null && declaration.metadataType === null) return null;
  const typeUrl = metadata?.typeUrl ?? `${TYPE_URL_PREFIX}${declaration.metadataType}`;
  const desc = declaration.registry.getMessage(typeNameOf(typeUrl));
  // A type that is not registered any more is passed through as it is.
  if (desc === undefined) return metadata;
  const fillers = fillersOf(desc);
  if (metadata !== null && fillers.length === 0) return metadata;
  const message = metadata === null ? create(desc) : decoded(desc, metadata.bytes);
  // Stored under an older form of its type: one such operation must not break a List.
  if (message === undefined) return metadata;
  for (const fill of fillers) fill(message, stored.record);
  return { typeUrl, bytes: toBinary(desc, message) };
}

function decoded(desc: DescMessage, bytes: Uint8Array): Message | undefined {
  try {
    return fromBinary(desc, bytes, { recursionLimit: RECURSION_MAX });
  } catch {
    return undefined;
  }
}

/** Sets one field of a message from the record. */
type Filler = (message: Message, record: OperationRecord) => void;

const fillerCache = new WeakMap<DescMessage, readonly Filler[]>();

function fillersOf(desc: DescMessage): readonly Filler[] {
  const cached = fillerCache.get(desc);
  if (cached) return cached;
  const fillers = desc.fields.map((field) => fillerOf(field, desc)).filter((filler) => filler !== null);
  fillerCache.set(desc, fillers);
  return fillers;
}

/** How a field is filled, by its name and type; null for a field that is the service's own. */
function fillerOf(field: DescField, desc: DescMessage): Filler | null {
  if (field.oneof !== undefined) return null;
  switch (field.name) {
    case "create_time":
    case "created_at":
      return timeFiller(field, (record) => record.createTime);
    case "update_time":
    case "updated_at":
    case "modified_at":
      return timeFiller(field, (record) => record.updateTime);
    case "start_time":
    case "started_at":
      // Without a creation time of its own, this is what the field is for (google.apps.vault, google.cloud.retail, ...).
      return desc.fields.some(({ name }) => name === "create_time" || name === "created_at")
        ? timeFiller(field, (record) => record.attemptStartTime)
        : timeFiller(field, (record) => record.createTime);
    case "end_time":
    case "finished_at":
      return timeFiller(field, (record) => record.doneTime);
    case "progress_percent":
    case "progress_percentage":
    case "progress":
      return progressFiller(field);
    case "status_message":
    case "status_detail":
      return scalarFiller(field, ScalarType.STRING, (record) => record.progress?.message ?? "");
    case "requested_cancellation":
    case "cancel_requested":
      return scalarFiller(field, ScalarType.BOOL, isCancelRequested);
    case "state":
      return field.fieldKind === "enum" ? stateFiller(field, field.enum) : null;
    default:
      return null;
  }
}

/** A caller asked, or a rule did (parent, superseded, unwatched); a deadline is nobody's request, and no cancellation. */
function isCancelRequested({ cancel }: OperationRecord): boolean {
  return cancel !== null && cancel.cause !== "deadline";
}

/** protobuf-es messages are plain objects with a property for each field. */
function setField(message: Message, field: DescField, value: unknown): void {
  (message as unknown as Record<string, unknown>)[field.localName] = value;
}

function timeFiller(field: DescField, read: (record: OperationRecord) => number | null): Filler | null {
  if (field.fieldKind !== "message" || field.message.typeName !== "google.protobuf.Timestamp") return null;
  return (message, record) => {
    const instant = read(record);
    if (instant !== null) setField(message, field, timestampOf(instant));
  };
}

function scalarFiller(
  field: DescField,
  scalar: ScalarType,
  read: (record: OperationRecord) => string | boolean,
): Filler | null {
  if (field.fieldKind !== "scalar" || field.scalar !== scalar) return null;
  return (message, record) => setField(message, field, read(record));
}

const longTypes: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

function progressFiller(field: DescField): Filler | null {
  if (field.fieldKind !== "scalar") return null;
  const { scalar } = field;
  if (scalar === ScalarType.STRING || scalar === ScalarType.BYTES || scalar === ScalarType.BOOL) return null;
  const isFraction = scalar === ScalarType.DOUBLE || scalar === ScalarType.FLOAT;
  return (message, record) => {
    const percent = record.state === "SUCCEEDED" ? 100 : record.progress?.percent;
    if (percent === undefined) return;
    const whole = isFraction ? percent : Math.floor(percent);
    if (!longTypes.has(scalar)) setField(message, field, whole);
    else setField(message, field, field.longAsString ? String(whole) : BigInt(whole));
  };
}

function stateFiller(field: DescField, desc: DescEnum): Filler | null {
  const numbers = new Map(desc.values.map(({ name, number }) => [name, number]));
  return (message, record) => {
    const number = numbers.get(record.state);
    if (number !== undefined) setField(message, field, number);
  };
}
