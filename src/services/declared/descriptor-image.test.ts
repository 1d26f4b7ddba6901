import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { create, type DescFile, toBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { AutoMl } from "../../protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { createTypeRegistry } from "../../protocol/type-registry.ts";
import { temporaryFolder } from "../../testing/test-worker.ts";
import { defineService } from "../define-service.ts";
import { type DescriptorImage, readDescriptorImage } from "./descriptor-image.ts";
import { startMethodsOf } from "./start-methods.ts";

/** A file after all that it imports, as protoc orders them. */
function withImports(file: DescFile, seen: Set<DescFile> = new Set()): DescFile[] {
  if (seen.has(file)) return [];
  seen.add(file);
  return [...file.dependencies.flatMap((one) => withImports(one, seen)), file];
}

const files = withImports(AutoMl.file);
const set = create(FileDescriptorSetSchema, { file: files.map(({ proto }) => proto) });
const json = toJson(FileDescriptorSetSchema, set, { registry: createTypeRegistry(...files) });

const forms: readonly [string, string, Uint8Array][] = [
  ["binary", "api.binpb", toBinary(FileDescriptorSetSchema, set)],
  ["gzip", "api.binpb.gz", gzipSync(toBinary(FileDescriptorSetSchema, set))],
  // What buf writes has fields of its own beside each file's.
  [
    "JSON",
    "api.json",
    Buffer.from(
      JSON.stringify({
        file: (json as { file: object[] }).file.map((one) => ({ ...one, bufExtension: {} })),
      }),
    ),
  ],
];

for (const [form, name, bytes] of forms) {
  test(`start methods are found in a ${form} image`, (t) => {
    const path = join(temporaryFolder(t), name);
    writeFileSync(path, bytes);
    const { services, registry }: DescriptorImage = readDescriptorImage(path);
    const startServices = services.filter(({ typeName }) => typeName === AutoMl.typeName);
    const declaration = defineService({ id: "automl", parents: ["**"], startServices, registry });
    assert.deepEqual(
      startMethodsOf(declaration).map(({ type, response }) => [type, response.typeName]),
      [
        ["automl.create-model", "google.cloud.automl.v1beta1.Model"],
        ["automl.delete-model", "google.protobuf.Empty"],
      ],
    );
  });
}

const withoutImports = create(FileDescriptorSetSchema, { file: [AutoMl.file.proto] });
const broken: readonly [string, Uint8Array, RegExp][] = [
  [
    "no descriptors",
    Buffer.from("\n\u00ffhello"),
    /is no google\.protobuf\.FileDescriptorSet \(binary or JSON\)/,
  ],
  [
    "JSON of something else",
    Buffer.from('{"file": 5}'),
    /is no JSON of a google\.protobuf\.FileDescriptorSet/,
  ],
  ["nothing", Buffer.of(), /holds no files/],
  [
    "a file without its imports",
    toBinary(FileDescriptorSetSchema, withoutImports),
    /google\/cloud\/automl\/v1beta1\/service\.proto imports google\/api\/annotations\.proto, which is not in it; expected a file with all imports/,
  ],
];

for (const [what, bytes, message] of broken) {
  test(`${what} is refused, and the file is named`, (t) => {
    const path = join(temporaryFolder(t), "api.binpb");
    writeFileSync(path, bytes);
    assert.throws(
      () => readDescriptorImage(path),
      (error: Error) => {
        assert.equal(error.name, "DescriptorImageError");
        assert.match(error.message, message);
        assert.ok(error.message.startsWith(`${path}: `));
        return true;
      },
    );
  });
}

test("a file that is not there is refused", (t) => {
  assert.throws(() => readDescriptorImage(join(temporaryFolder(t), "none")), {
    name: "DescriptorImageError",
    message: /none: cannot be read: ENOENT/,
  });
});
