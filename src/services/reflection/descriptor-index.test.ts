import assert from "node:assert/strict";
import { test } from "node:test";
import { create, createFileRegistry, type FileRegistry, fromBinary, getOption } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { Operations as NativeOperations } from "../../protocol/gen/belay/v1/operations_pb.ts";
import { http } from "../../protocol/gen/google/api/annotations_pb.ts";
import { Operations } from "../../protocol/gen/google/longrunning/operations_pb.ts";
import { DescriptorIndex } from "./descriptor-index.ts";

const index = new DescriptorIndex([Operations, NativeOperations]);

function names(files: readonly Uint8Array[] | undefined): string[] | undefined {
  return files?.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

/** What a client builds from the answer for one file, and from nothing else. */
function rebuild(name: string): FileRegistry {
  const files = new Map<string, FileDescriptorProto>();
  for (const bytes of index.fileByName(name) ?? []) {
    const file = fromBinary(FileDescriptorProtoSchema, bytes);
    files.set(file.name, file);
  }
  const sorted = new Set<FileDescriptorProto>();
  const visit = (file: FileDescriptorProto): void => {
    for (const imported of file.dependency) visit(files.get(imported)!);
    sorted.add(file);
  };
  visit(files.get(name)!);
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...sorted] }));
}

const symbols: readonly [string, string][] = [
  ["google.longrunning.Operations", "google/longrunning/operations.proto"],
  ["google.longrunning.Operations.CancelOperation", "google/longrunning/operations.proto"],
  ["google.longrunning.Operation", "google/longrunning/operations.proto"],
  ["google.longrunning.Operation.done", "google/longrunning/operations.proto"],
  ["google.longrunning.operation_info", "google/longrunning/operations.proto"],
  ["belay.v1.Verdict", "belay/v1/operations.proto"],
  ["belay.v1.Cancellation.Phase", "belay/v1/operations.proto"],
  ["google.rpc.Status", "google/rpc/status.proto"],
  ["google.protobuf.Any", "google/protobuf/any.proto"],
];

for (const [symbol, file] of symbols) {
  test(`${symbol} is found in ${file}`, () => {
    assert.equal(names(index.fileBySymbol(symbol))?.[0], file);
  });
}

test("an unknown symbol, file or extension is not found", () => {
  assert.equal(index.fileBySymbol("google.longrunning.Job"), undefined);
  assert.equal(index.fileByName("nothing.proto"), undefined);
  assert.equal(index.fileByExtension("google.protobuf.MethodOptions", 1), undefined);
  assert.equal(index.extensionNumbers("nothing.Message"), undefined);
});

test("a file comes with everything that it imports, so that a client can build on it alone", () => {
  const service = rebuild("belay/v1/operations.proto").getService("belay.v1.Operations");
  assert.equal(service?.methods.length, NativeOperations.methods.length);
});

test("options survive: a client sees the HTTP rule of a method", () => {
  const registry = rebuild("google/longrunning/operations.proto");
  const cancel = registry.getService("google.longrunning.Operations")?.method["cancelOperation"];
  assert.ok(cancel);
  assert.equal(getOption(cancel, http).body, "*");
});

test("extensions are found by the message that they extend", () => {
  const numbers = index.extensionNumbers("google.protobuf.MethodOptions");
  assert.ok(numbers?.includes(1049) && numbers.includes(72_295_728), String(numbers));
  assert.equal(
    names(index.fileByExtension("google.protobuf.MethodOptions", 1049))?.[0],
    "google/longrunning/operations.proto",
  );
  assert.deepEqual(index.extensionNumbers("google.rpc.Status"), []);
});
