// Writes apis.binpb.gz: the descriptors of the two small APIs that the suite's belay.yaml declares, with their imports.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { DiskService, Shop } from "../../../src/services/declared/shop-service.fixture.ts";

export const apisFile: URL = new URL("./apis.binpb.gz", import.meta.url);

/** A google.protobuf.FileDescriptorSet, each file after its imports. */
export function apisImage(): Uint8Array {
  const files = new Set<DescFile>();
  const add = (file: DescFile): void => {
    for (const dependency of file.dependencies) add(dependency);
    files.add(file);
  };
  for (const { file } of [Shop, DiskService]) add(file);
  const named = new Map([...files].map((file) => [file.name, file.proto]));
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [...named.values()] }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(apisFile, gzipSync(apisImage(), { level: 9 }));
}
