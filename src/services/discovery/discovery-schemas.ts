// Messages as schemas of a discovery document: JSON Schema draft 3 in the dialect of Google's API discovery service
// (developers.google.com/discovery/v1/type-format). Enums are by name, 64-bit numbers are strings.
import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { textOf, unservedFields } from "../document-texts.ts";

const scalarSchemas: Readonly<Record<ScalarType, JsonObject>> = {
  [ScalarType.DOUBLE]: { type: "number", format: "double" },
  [ScalarType.FLOAT]: { type: "number", format: "float" },
  [ScalarType.INT64]: { type: "string", format: "int64" },
  [ScalarType.SINT64]: { type: "string", format: "int64" },
  [ScalarType.SFIXED64]: { type: "string", format: "int64" },
  [ScalarType.UINT64]: { type: "string", format: "uint64" },
  [ScalarType.FIXED64]: { type: "string", format: "uint64" },
  [ScalarType.INT32]: { type: "integer", format: "int32" },
  [ScalarType.SINT32]: { type: "integer", format: "int32" },
  [ScalarType.SFIXED32]: { type: "integer", format: "int32" },
  [ScalarType.UINT32]: { type: "integer", format: "uint32" },
  [ScalarType.FIXED32]: { type: "integer", format: "uint32" },
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BYTES]: { type: "string", format: "byte" },
};

const anyObject: JsonObject = {
  type: "object",
  additionalProperties: {
    type: "any",
    description: "Properties of the object. Contains field @type with type URL.",
  },
};
const structObject: JsonObject = {
  type: "object",
  additionalProperties: { type: "any", description: "Properties of the object." },
};

/** Messages with a JSON form of their own. */
const ownForms: ReadonlyMap<string, JsonObject> = new Map<string, JsonObject>([
  ["google.protobuf.Any", anyObject],
  ["google.protobuf.Struct", structObject],
  ["google.protobuf.Value", { type: "any" }],
  ["google.protobuf.ListValue", { type: "array", items: { type: "any" } }],
  ["google.protobuf.Timestamp", { type: "string", format: "google-datetime" }],
  ["google.protobuf.Duration", { type: "string", format: "google-duration" }],
  ["google.protobuf.FieldMask", { type: "string", format: "google-fieldmask" }],
]);

/** Collects the messages of a document; each is written once, under a name of its own. */
export class DiscoverySchemas {
  readonly #names = new Map<string, string>();
  readonly #schemas = new Map<string, JsonObject>();

  /** A `$ref` to a message, which is added with all that it holds. `omitted` are fields that the path binds. */
  reference(desc: DescMessage, omitted: ReadonlySet<string> = new Set()): JsonObject {
    const left = desc.fields.filter(({ name }) => omitted.has(name)).map(({ name }) => name);
    const key = [desc.typeName, ...left].join(" ");
    const known = this.#names.get(key);
    if (known !== undefined) return { $ref: known };
    const name = this.#freeName(desc);
    this.#names.set(key, name);
    this.#schemas.set(name, {});
    const fields = desc.fields.filter(
      (field) => !omitted.has(field.name) && !unservedFields.has(`${desc.typeName}.${field.name}`),
    );
    const properties = Object.fromEntries(fields.map((field) => [field.jsonName, this.property(field)]));
    const description = textOf(desc.typeName);
    this.#schemas.set(name, { id: name, type: "object", ...(description && { description }), properties });
    return { $ref: name };
  }

  /** The schema of a field. */
  property(field: DescField): JsonObject {
    const description = textOf(`${field.parent.typeName}.${field.name}`);
    return { ...(description && { description }), ...this.#fieldSchema(field) };
  }

  /** All that was added, sorted by name. */
  toJson(): JsonObject {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #fieldSchema(field: DescField): JsonObject {
    if (field.fieldKind === "map") {
      return { type: "object", additionalProperties: this.#valueSchema(field) };
    }
    return field.fieldKind === "list"
      ? { type: "array", items: this.#valueSchema(field) }
      : this.#valueSchema(field);
  }

  #valueSchema({ scalar, enum: desc, message }: DescField): JsonObject {
    if (scalar !== undefined) return scalarSchemas[scalar];
    if (desc !== undefined) return enumSchema(desc);
    return message === undefined ? { type: "any" } : this.#messageSchema(message);
  }

  #messageSchema(desc: DescMessage): JsonObject {
    const own = ownForms.get(desc.typeName);
    if (own !== undefined) return own;
    const wrapped = desc.file.proto.name === "google/protobuf/wrappers.proto" ? desc.fields[0] : undefined;
    return wrapped === undefined ? this.reference(desc) : this.#valueSchema(wrapped);
  }

  /** The message's own name; where two packages have one, the second gets its package's words in front. */
  #freeName({ typeName, file }: DescMessage): string {
    const { package: packageName } = file.proto;
    const local = packageName === "" ? typeName : typeName.slice(packageName.length + 1);
    const name = local.replaceAll(".", "");
    if (!this.#schemas.has(name)) return name;
    const whole = typeName
      .split(".")
      .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
      .join("");
    let free = whole;
    for (let n = 2; this.#schemas.has(free); n++) free = `${whole}${n}`;
    return free;
  }
}

/** The names of an enum's values. */
export function enumSchema({ values }: DescEnum): JsonObject {
  const names = values.map(({ name }) => name);
  return { type: "string", enum: names, enumDescriptions: names.map(() => "") };
}
