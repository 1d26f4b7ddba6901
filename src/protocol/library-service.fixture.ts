// A service with every kind of field and rule, for the tests of protocol and transcoding: google.longrunning
// and belay.v1 have few. The descriptor is written out here, so that no code is generated for it.
import {
  createFileRegistry,
  createRegistry,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromJson,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { assert } from "../base/assert.ts";
import { file_google_api_annotations } from "./gen/google/api/annotations_pb.ts";
import { file_google_api_http } from "./gen/google/api/http_pb.ts";

const imports = [
  file_google_api_annotations,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

/** A field: its type is a scalar in lower case, or the name of a message or an enum. */
function field(number: number, type: string, name: string, more: JsonObject = {}): JsonObject {
  const isScalar = /^[a-z0-9]+$/.test(type);
  const typeName = type.includes(".") ? `.${type}` : `.library.v1.${type}`;
  const kind = type === "Color" ? "TYPE_ENUM" : "TYPE_MESSAGE";
  return {
    name,
    jsonName: name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    number,
    label: "LABEL_OPTIONAL",
    ...(isScalar ? { type: `TYPE_${type.toUpperCase()}` } : { type: kind, typeName }),
    ...more,
  };
}

const repeated = { label: "LABEL_REPEATED" };

/** A map field with its entry message. */
function mapField(number: number, value: string, name: string): { field: JsonObject; entry: JsonObject } {
  const entryName = `${name[0]?.toUpperCase()}${name.slice(1)}Entry`;
  return {
    field: field(number, `AllKinds.${entryName}`, name, {
      ...repeated,
      typeName: `.library.v1.AllKinds.${entryName}`,
    }),
    entry: {
      name: entryName,
      field: [field(1, "string", "key"), field(2, value, "value")],
      options: { mapEntry: true },
    },
  };
}

const labels = mapField(16, "string", "labels");
const things = mapField(17, "Inner", "things");
const anys = mapField(36, "google.protobuf.Any", "anys");
const wkt = (name: string): string => `google.protobuf.${name}`;

const allKinds = {
  name: "AllKinds",
  field: [
    field(1, "string", "text"),
    field(2, "bool", "flag"),
    field(3, "int32", "int32_value"),
    field(4, "uint32", "uint32_value"),
    field(5, "int64", "int64_value"),
    field(6, "uint64", "uint64_value"),
    field(7, "float", "float_value"),
    field(8, "double", "double_value"),
    field(9, "bytes", "bytes_value"),
    field(10, "Color", "color"),
    field(11, "int32", "numbers", repeated),
    field(12, "string", "words", repeated),
    field(13, "Color", "colors", repeated),
    field(14, "Inner", "inner"),
    field(15, "Inner", "inners", repeated),
    labels.field,
    things.field,
    anys.field,
    field(18, wkt("Timestamp"), "time"),
    field(19, wkt("Duration"), "duration"),
    field(20, wkt("FieldMask"), "mask"),
    field(21, wkt("Int32Value"), "boxed_int"),
    field(22, wkt("BoolValue"), "boxed_flag"),
    field(23, wkt("StringValue"), "boxed_text"),
    field(24, wkt("UInt64Value"), "boxed_long"),
    field(25, wkt("BytesValue"), "boxed_bytes"),
    field(26, wkt("Struct"), "struct"),
    field(27, wkt("Any"), "any"),
    field(28, wkt("Duration"), "durations", repeated),
    field(29, "string", "fields"),
    field(30, "string", "left", { oneofIndex: 0 }),
    field(31, "int32", "right", { oneofIndex: 0 }),
    field(32, "int32", "maybe", { oneofIndex: 1, proto3Optional: true }),
    field(33, "sint64", "sint64_value"),
    field(34, "fixed32", "fixed32_value"),
    field(37, "AllKinds", "nested"),
    field(35, "double", "boxed", { type: "TYPE_MESSAGE", typeName: ".google.protobuf.DoubleValue" }),
  ],
  oneofDecl: [{ name: "choice" }, { name: "_maybe" }],
  nestedType: [labels.entry, things.entry, anys.entry],
};

function method(
  name: string,
  input: string,
  output: string,
  rule?: JsonObject,
  more: JsonObject = {},
): JsonObject {
  const options = { ...(rule ? { "[google.api.http]": rule } : {}), ...more };
  return { name, inputType: `.library.v1.${input}`, outputType: `.library.v1.${output}`, options };
}

const file: JsonObject = {
  name: "library/v1/library.proto",
  package: "library.v1",
  syntax: "proto3",
  dependency: imports.map((one) => one.proto.name),
  enumType: [
    {
      name: "Color",
      value: [
        { name: "COLOR_UNSPECIFIED", number: 0 },
        { name: "RED", number: 1 },
        { name: "DARK_BLUE", number: 2 },
      ],
    },
  ],
  messageType: [
    allKinds,
    {
      name: "Inner",
      field: [
        field(1, "string", "name"),
        field(2, "int32", "page_count"),
        field(3, "Inner", "inner"),
        field(4, "Color", "color"),
        field(5, wkt("Duration"), "length"),
      ],
    },
  ],
  service: [
    {
      name: "Library",
      method: [
        method(
          "Search",
          "AllKinds",
          "AllKinds",
          { get: "/v1/search" },
          { idempotencyLevel: "NO_SIDE_EFFECTS" },
        ),
        method("Create", "AllKinds", "Inner", { post: "/v1/things", body: "*", responseBody: "name" }),
        method("Update", "AllKinds", "AllKinds", {
          patch: "/v1/{inner.name=things/*}",
          body: "inner",
          responseBody: "inner",
          additionalBindings: [{ put: "/v1/{text}/words", body: "words" }],
        }),
        method("GetPage", "AllKinds", "AllKinds", { get: "/v1/pages/{int32_value}/{color}/{flag}" }),
        method("Unbound", "AllKinds", "AllKinds"),
      ] as JsonValue[],
    },
    {
      name: "Broken",
      method: [
        method("NestedBindings", "Inner", "Inner", {
          get: "/v1/a",
          additionalBindings: [{ get: "/v1/b", additionalBindings: [{ get: "/v1/c" }] }],
        }),
        method("NoPattern", "Inner", "Inner", { body: "*" }),
      ],
    },
  ],
};

const registry = createFileRegistry(
  fromJson(FileDescriptorProtoSchema, file, {
    registry: createRegistry(file_google_api_annotations, file_google_api_http),
  }),
  (name) => imports.find((one) => one.proto.name === name),
);

/** library.v1.Library. */
export const Library: DescService = found(registry.getService("library.v1.Library"));
/** library.v1.AllKinds. */
export const AllKinds: DescMessage = found(registry.getMessage("library.v1.AllKinds"));
/** library.v1.Broken: rules that no method can have. */
export const Broken: DescService = found(registry.getService("library.v1.Broken"));

/** A method of Library by its local name. */
export function libraryMethod(name: string): DescMethod {
  return found(Library.method[name]);
}

function found<T>(value: T | undefined): T {
  assert(value !== undefined, "it is in the descriptor above");
  return value;
}
