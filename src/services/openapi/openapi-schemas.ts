// Messages as JSON Schema 2020-12 for OpenAPI 3.1, by the rules of ProtoJSON: 64-bit integers are strings, enums are names,
// the well-known types have forms of their own. Schemas are named by the messages' full names.
import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { textOf, unservedFields } from "../document-texts.ts";

const REFERENCE = "#/components/schemas/";

const longText: JsonObject = { type: "string", format: "int64", pattern: "^-?[0-9]+$" };
const unsignedText: JsonObject = { type: "string", format: "uint64", pattern: "^[0-9]+$" };
const int32: JsonObject = { type: "integer", format: "int32" };
const uint32: JsonObject = { type: "integer", format: "uint32", minimum: 0 };
/** ProtoJSON writes what JSON has no number for as text. */
const notFinite: JsonObject = { type: "string", enum: ["NaN", "Infinity", "-Infinity"] };

const scalarSchemas: Readonly<Record<ScalarType, JsonObject>> = {
  [ScalarType.DOUBLE]: { anyOf: [{ type: "number", format: "double" }, notFinite] },
  [ScalarType.FLOAT]: { anyOf: [{ type: "number", format: "float" }, notFinite] },
  [ScalarType.INT64]: longText,
  [ScalarType.SINT64]: longText,
  [ScalarType.SFIXED64]: longText,
  [ScalarType.UINT64]: unsignedText,
  [ScalarType.FIXED64]: unsignedText,
  [ScalarType.INT32]: int32,
  [ScalarType.SINT32]: int32,
  [ScalarType.SFIXED32]: int32,
  [ScalarType.UINT32]: uint32,
  [ScalarType.FIXED32]: uint32,
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BYTES]: { type: "string", contentEncoding: "base64" },
};

/** Messages with a JSON form of their own. `{}` takes any value. */
const ownForms: ReadonlyMap<string, JsonObject> = new Map<string, JsonObject>([
  [
    "google.protobuf.Any",
    {
      type: "object",
      description: "A message of the type that @type names, with its fields beside it.",
      properties: { "@type": { type: "string" } },
      required: ["@type"],
      additionalProperties: true,
    },
  ],
  ["google.protobuf.Struct", { type: "object", additionalProperties: true }],
  ["google.protobuf.Value", {}],
  ["google.protobuf.ListValue", { type: "array", items: {} }],
  ["google.protobuf.Timestamp", { type: "string", format: "date-time" }],
  ["google.protobuf.Duration", { type: "string", pattern: "^-?[0-9]+(\\.[0-9]{1,9})?s$" }],
  ["google.protobuf.FieldMask", { type: "string" }],
]);

/** Collects the messages of a document. */
export class OpenApiSchemas {
  readonly #schemas = new Map<string, JsonObject>();

  /** A `$ref` to a message, which is added with all that it holds; a message with a form of its own is that form. */
  message(desc: DescMessage): JsonObject {
    const own = ownForms.get(desc.typeName);
    if (own !== undefined) return own;
    const wrapped = desc.file.proto.name === "google/protobuf/wrappers.proto" ? desc.fields[0] : undefined;
    if (wrapped !== undefined) return this.#value(wrapped);
    if (!this.#schemas.has(desc.typeName)) {
      // Before its fields: a message may hold itself.
      this.#schemas.set(desc.typeName, {});
      this.#schemas.set(desc.typeName, this.#object(desc));
    }
    return { $ref: REFERENCE + desc.typeName };
  }

  /** Adds a schema that is no message. */
  add(name: string, schema: JsonObject): JsonObject {
    this.#schemas.set(name, schema);
    return { $ref: REFERENCE + name };
  }

  /** The schema of a field's value or values. */
  field(field: DescField): JsonObject {
    if (field.fieldKind === "map") return { type: "object", additionalProperties: this.#value(field) };
    return field.fieldKind === "list" ? { type: "array", items: this.#value(field) } : this.#value(field);
  }

  /** All that was added, sorted by name. */
  toJson(): JsonObject {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #object(desc: DescMessage): JsonObject {
    const fields = desc.fields.filter(({ name }) => !unservedFields.has(`${desc.typeName}.${name}`));
    const properties = fields.map((field) => {
      const description = textOf(`${desc.typeName}.${field.name}`);
      return [field.jsonName, { ...this.field(field), ...(description && { description }) }];
    });
    const description = textOf(desc.typeName);
    return {
      type: "object",
      ...(description && { description }),
      ...(properties.length > 0 && { properties: Object.fromEntries(properties) }),
    };
  }

  #value({ scalar, enum: desc, message }: DescField): JsonObject {
    if (scalar !== undefined) return scalarSchemas[scalar];
    if (desc !== undefined) return this.#enum(desc);
    return message === undefined ? {} : this.message(message);
  }

  #enum(desc: DescEnum): JsonObject {
    if (desc.typeName === "google.protobuf.NullValue") return { type: "null" };
    return this.add(desc.typeName, { type: "string", enum: desc.values.map(({ name }) => name) });
  }
}
