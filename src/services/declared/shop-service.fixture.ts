// Two small APIs for the tests of start methods: shop.v1.Shop in Google's shape, disk.v1.DiskService in Yandex's. Their
// descriptors are written out here, so that no code is generated for them.
import {
  createFileRegistry,
  createRegistry,
  type DescMessage,
  type DescMethod,
  type DescService,
  type FileRegistry,
  fromJson,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_descriptor,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
} from "@bufbuild/protobuf/wkt";
import { assert } from "../../base/assert.ts";
import { file_google_api_annotations } from "../../protocol/gen/google/api/annotations_pb.ts";
import { file_google_api_field_behavior } from "../../protocol/gen/google/api/field_behavior_pb.ts";
import { file_google_longrunning_operations } from "../../protocol/gen/google/longrunning/operations_pb.ts";
import { file_yandex_cloud_api_operation } from "../../protocol/gen/yandex/cloud/api/operation_pb.ts";
import { file_yandex_cloud_operation_operation } from "../../protocol/gen/yandex/cloud/operation/operation_pb.ts";
import { file_yandex_cloud_validation } from "../../protocol/gen/yandex/cloud/validation_pb.ts";
import { createTypeRegistry } from "../../protocol/type-registry.ts";
import { defineService, type ServiceSettings } from "../define-service.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";

const imports = [
  file_google_api_annotations,
  file_google_api_field_behavior,
  file_google_longrunning_operations,
  file_google_protobuf_descriptor,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_yandex_cloud_api_operation,
  file_yandex_cloud_operation_operation,
  file_yandex_cloud_validation,
];

/** A field: its type is a scalar in lower case, or the full name of a message, or of an enum after `enum:`. */
export function field(number: number, type: string, name: string, more: JsonObject = {}): JsonObject {
  const [kind, typeName] = type.startsWith("enum:") ? ["TYPE_ENUM", type.slice(5)] : ["TYPE_MESSAGE", type];
  const isScalar = /^[a-z0-9]+$/.test(type);
  return {
    name,
    jsonName: name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    number,
    label: "LABEL_OPTIONAL",
    ...(isScalar ? { type: `TYPE_${type.toUpperCase()}` } : { type: kind, typeName: `.${typeName}` }),
    ...more,
  };
}

const TIMESTAMP = "google.protobuf.Timestamp";
const required = { options: { "[google.api.field_behavior]": ["REQUIRED"] } };
const repeated = { label: "LABEL_REPEATED" };

/** A field of Yandex's validation options, for instance `{ length: "<=50" }`. */
export function limited(options: JsonObject): JsonObject {
  return {
    options: Object.fromEntries(
      Object.entries(options).map(([name, value]) => [`[yandex.cloud.${name}]`, value]),
    ),
  };
}

const shopMessages: JsonValue[] = [
  {
    name: "Order",
    field: [
      field(1, "string", "name"),
      field(2, "string", "title"),
      field(3, "int32", "amount"),
      field(4, "int64", "price"),
      field(5, "google.protobuf.Struct", "extras"),
    ],
  },
  {
    name: "CreateOrderRequest",
    field: [
      field(1, "string", "parent", required),
      field(2, "shop.v1.Order", "order", required),
      field(3, "bool", "validate_only"),
      field(4, "string", "request_id"),
      field(5, "string", "order_id"),
      field(6, "google.protobuf.Struct", "options"),
    ],
  },
  { name: "DeleteOrderRequest", field: [field(1, "string", "name", required)] },
  { name: "UpdateOrderRequest", field: [field(1, "shop.v1.Order", "order", required)] },
  { name: "Empty" },
  { name: "CountMetadata", field: [field(1, TIMESTAMP, "start_time"), field(2, TIMESTAMP, "end_time")] },
  {
    name: "OrderMetadata",
    enumType: [
      {
        name: "State",
        value: [
          { name: "STATE_UNSPECIFIED", number: 0 },
          { name: "PENDING", number: 1 },
          { name: "RUNNING", number: 2 },
          { name: "SUCCEEDED", number: 3 },
        ],
      },
    ],
    oneofDecl: [{ name: "details" }],
    field: [
      field(1, TIMESTAMP, "create_time"),
      field(2, TIMESTAMP, "update_time"),
      field(3, TIMESTAMP, "start_time"),
      field(4, TIMESTAMP, "end_time"),
      field(5, "int32", "progress_percent"),
      field(6, "string", "status_message"),
      field(7, "bool", "requested_cancellation"),
      field(8, "enum:shop.v1.OrderMetadata.State", "state"),
      field(9, "string", "order_id"),
      field(10, "google.protobuf.Struct", "options"),
      field(11, "shop.v1.Empty", "create_order_details", { oneofIndex: 0 }),
      field(12, "shop.v1.Empty", "delete_details", { oneofIndex: 0 }),
      field(13, "int64", "parent"),
    ],
  },
];

function googleMethod(name: string, input: string, info: JsonObject | null, http: JsonObject): JsonObject {
  return {
    name,
    inputType: `.shop.v1.${input}`,
    outputType: ".google.longrunning.Operation",
    options: { "[google.api.http]": http, ...(info && { "[google.longrunning.operation_info]": info }) },
  };
}

const shopMethods: JsonValue[] = [
  googleMethod(
    "CreateOrder",
    "CreateOrderRequest",
    { responseType: "Order", metadataType: "OrderMetadata" },
    { post: "/v1/{parent=shops/*}/orders", body: "*" },
  ),
  googleMethod(
    "DeleteOrder",
    "DeleteOrderRequest",
    { responseType: "google.protobuf.Empty", metadataType: "shop.v1.OrderMetadata" },
    { delete: "/v1/{name=shops/*/orders/*}" },
  ),
  googleMethod(
    "UpdateOrder",
    "UpdateOrderRequest",
    { responseType: ".shop.v1.Order" },
    { post: "/v1/{order.name=shops/*/orders/*}", body: "order" },
  ),
  // Not a start method: nothing says what its operation holds.
  googleMethod("Plain", "DeleteOrderRequest", null, { post: "/v1/plain", body: "*" }),
];

const diskMessages: JsonValue[] = [
  {
    name: "Disk",
    field: [field(1, "string", "id"), field(2, "int64", "size")],
  },
  {
    name: "DiskMetadata",
    field: [field(1, "string", "disk_id")],
  },
  {
    name: "ResizeRequest",
    oneofDecl: [{ name: "target", options: { "[yandex.cloud.exactly_one]": true } }],
    field: [
      field(1, "string", "disk_id", limited({ required: true, length: "<=50" })),
      field(2, "int64", "size", { oneofIndex: 0, ...limited({ value: "1-4096" }) }),
      field(3, "bool", "maximum", { oneofIndex: 0 }),
      field(4, "string", "name", limited({ pattern: "|[a-z][-a-z0-9]{1,61}[a-z0-9]" })),
      field(5, "string", "tags", { ...repeated, ...limited({ size: "<=3", length: "1-8", unique: true }) }),
      field(6, "disk.v1.Schedule", "schedule"),
      field(7, "bytes", "key", limited({ bytes: "<=4" })),
    ],
  },
  {
    name: "Schedule",
    field: [
      field(1, "int32", "hour", limited({ value: "0-23" })),
      field(2, "disk.v1.Schedule", "next"),
      field(3, "string", "zone", limited({ required: true })),
    ],
  },
  {
    name: "ListDiskOperationsRequest",
    field: [
      field(1, "string", "disk_id", limited({ required: true, length: "<=50" })),
      field(2, "int64", "page_size", limited({ value: "0-1000" })),
      field(3, "string", "page_token", limited({ length: "<=2000" })),
      field(4, "string", "filter", limited({ length: "<=1000" })),
    ],
  },
  {
    name: "ListDiskOperationsResponse",
    field: [
      field(1, "yandex.cloud.operation.Operation", "operations", repeated),
      field(2, "string", "next_page_token"),
    ],
  },
];

const OPERATION = ".yandex.cloud.operation.Operation";

const diskMethods: JsonValue[] = [
  {
    name: "Resize",
    inputType: ".disk.v1.ResizeRequest",
    outputType: OPERATION,
    options: {
      "[yandex.cloud.api.operation]": { metadata: "DiskMetadata", response: "Disk" },
      "[google.api.http]": { post: "/disk/v1/disks/{disk_id}:resize", body: "*" },
    },
  },
  {
    name: "Erase",
    inputType: ".disk.v1.ResizeRequest",
    outputType: OPERATION,
    options: { "[yandex.cloud.api.operation]": { metadata: "v1.DiskMetadata" } },
  },
  {
    name: "ListOperations",
    inputType: ".disk.v1.ListDiskOperationsRequest",
    outputType: ".disk.v1.ListDiskOperationsResponse",
    options: { "[google.api.http]": { get: "/disk/v1/disks/{disk_id}/operations" } },
  },
];

/** The files of descriptors, from their JSON. The options of other files are read with these imports. */
export function registryOfFile(file: JsonObject): FileRegistry {
  const proto = fromJson(
    FileDescriptorProtoSchema,
    { syntax: "proto3", dependency: imports.map((one) => `${one.proto.name}`), ...file },
    { registry: createRegistry(...imports) },
  );
  return createFileRegistry(proto, (name) => imports.find((one) => one.proto.name === name));
}

const shop = registryOfFile({
  name: "shop/v1/shop.proto",
  package: "shop.v1",
  messageType: shopMessages,
  service: [{ name: "Shop", method: shopMethods }],
});

const disk = registryOfFile({
  name: "disk/v1/disk_service.proto",
  package: "disk.v1",
  messageType: diskMessages,
  service: [{ name: "DiskService", method: diskMethods }],
});

/** shop.v1.Shop: CreateOrder, DeleteOrder and UpdateOrder start operations, Plain does not. */
export const Shop: DescService = found(shop.getService("shop.v1.Shop"));
/** disk.v1.DiskService: Resize and Erase start operations, ListOperations lists those of a disk. */
export const DiskService: DescService = found(disk.getService("disk.v1.DiskService"));

/** A message of shop.v1 or disk.v1 by its own name. */
export function fixtureMessage(name: string): DescMessage {
  return found(shop.getMessage(`shop.v1.${name}`) ?? disk.getMessage(`disk.v1.${name}`));
}

/** A method of Shop or DiskService. */
export function fixtureMethod(name: string): DescMethod {
  return found([...Shop.methods, ...DiskService.methods].find((method) => method.name === name));
}

/** The service `shop`, dialect google: operations at the root and below shops. */
export function shopDeclaration(changes: Partial<ServiceSettings> = {}): ServiceDeclaration {
  return defineService({
    id: "shop",
    parents: ["", "shops/*"],
    startServices: [Shop],
    registry: createTypeRegistry(shop),
    ...changes,
  });
}

/** The service `disk`, dialect yandex. */
export function diskDeclaration(changes: Partial<ServiceSettings> = {}): ServiceDeclaration {
  return defineService({
    id: "disk",
    dialect: "yandex",
    startServices: [DiskService],
    registry: createTypeRegistry(disk),
    ...changes,
  });
}

function found<T>(value: T | undefined): T {
  assert(value !== undefined, "it is in the descriptors above");
  return value;
}
