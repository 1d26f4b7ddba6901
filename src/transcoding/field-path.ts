// Fields of request messages by name or dotted path, and writing to them. Names are looked up in Maps:
// `__proto__` is a name like any other.
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

/** A field of a message or of the messages in it: all but the last are singular messages. */
export interface FieldPath {
  /** The proto names, dotted. */
  text: string;
  fields: readonly DescField[];
  leaf: DescField;
}

const fieldMaps = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** The field of that proto name (snake_case) or JSON name (camelCase). */
export function findField(desc: DescMessage, name: string): DescField | undefined {
  let fields = fieldMaps.get(desc);
  if (!fields) {
    fields = new Map(
      desc.fields.flatMap((field) => [[field.jsonName, field] as const, [field.name, field] as const]),
    );
    fieldMaps.set(desc, fields);
  }
  return fields.get(name);
}

/** Messages that have a text or JSON form of their own: a path ends at them. */
export function hasOwnForm(desc: DescMessage): boolean {
  return desc.file.proto.package === "google.protobuf" && desc.typeName !== "google.protobuf.Empty";
}

/** Resolves a dotted path; null if a name in it is unknown, or one before the last is no singular message. */
export function resolveFieldPath(desc: DescMessage, path: string): FieldPath | null {
  const fields: DescField[] = [];
  let parent: DescMessage | undefined = desc;
  for (const name of path.split(".")) {
    const field: DescField | undefined = parent && findField(parent, name);
    if (!field) return null;
    fields.push(field);
    parent = field.fieldKind === "message" && !hasOwnForm(field.message) ? field.message : undefined;
  }
  const leaf = fields.at(-1) as DescField;
  return { text: fields.map((field) => field.name).join("."), fields, leaf };
}

/** The message that holds the path's last field; messages on the way are made and set. */
export function holderOf(desc: DescMessage, message: Message, path: FieldPath): ReflectMessage {
  let holder = reflect(desc, message);
  for (const field of path.fields.slice(0, -1)) {
    const child = holder.get(field) as ReflectMessage;
    if (!holder.isSet(field)) holder.set(field, child);
    holder = child;
  }
  return holder;
}
