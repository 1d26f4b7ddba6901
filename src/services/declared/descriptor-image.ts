// Descriptors from a file: what `buf build -o api.binpb` and `protoc --include_imports --descriptor_set_out` write, or
// buf's JSON of the same.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import {
  createFileRegistry,
  type DescService,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonValue,
  type Registry,
} from "@bufbuild/protobuf";
import { type FileDescriptorSet, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createTypeRegistry } from "../../protocol/type-registry.ts";

/** The size of a file, unpacked. */
const IMAGE_BYTES_MAX = 64 * 1024 * 1024;

/** What a file of descriptors holds. */
export interface DescriptorImage {
  /** All services of it, in the order of its files. */
  readonly services: readonly DescService[];
  /** Its messages, and those that Belay knows by itself. */
  readonly registry: Registry;
}

/** A file that is no complete set of descriptors. The message names the file and what was expected. */
export class DescriptorImageError extends Error {
  override name = "DescriptorImageError";
}

/**
 * Reads a google.protobuf.FileDescriptorSet, or a buf image, which is one with more in it: binary or JSON, plain or
 * gzip, up to 64 MiB. It must hold its imports too. Throws a DescriptorImageError.
 */
export function readDescriptorImage(path: string): DescriptorImage {
  const bytes = readImageFile(path);
  // Binary begins with the tag of the first file, 0x0a.
  const isJson = bytes[0] === 0x7b;
  const files = isJson ? imageOfJson(bytes, path) : imageOfBinary(bytes, path);
  const registry = fileRegistryOf(files, path);
  return {
    services: [...registry.files].flatMap((file) => file.services),
    registry: createTypeRegistry(registry),
  };
}

function readImageFile(path: string): Uint8Array {
  try {
    const bytes = readFileSync(path);
    return bytes[0] === 0x1f && bytes[1] === 0x8b
      ? gunzipSync(bytes, { maxOutputLength: IMAGE_BYTES_MAX })
      : bytes;
  } catch (cause) {
    throw new DescriptorImageError(`${path}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function imageOfBinary(bytes: Uint8Array, path: string): FileDescriptorSet {
  try {
    return fromBinary(FileDescriptorSetSchema, bytes);
  } catch (cause) {
    throw new DescriptorImageError(
      `${path}: is no google.protobuf.FileDescriptorSet (binary or JSON); expected what buf build -o writes`,
      { cause },
    );
  }
}

/** In JSON, options that extend others are named, so they are read only with the file's own extensions at hand. */
function imageOfJson(bytes: Uint8Array, path: string): FileDescriptorSet {
  try {
    const json = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(),
    ) as JsonValue;
    const bare = fromJson(FileDescriptorSetSchema, json, { ignoreUnknownFields: true });
    const registry = fileRegistryOf(bare, path);
    return fromJson(FileDescriptorSetSchema, json, { ignoreUnknownFields: true, registry });
  } catch (cause) {
    if (cause instanceof DescriptorImageError) throw cause;
    throw new DescriptorImageError(
      `${path}: is no JSON of a google.protobuf.FileDescriptorSet: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}

function fileRegistryOf(files: FileDescriptorSet, path: string): FileRegistry {
  if (files.file.length === 0) throw new DescriptorImageError(`${path}: holds no files`);
  const names = new Set(files.file.map(({ name }) => name));
  for (const file of files.file) {
    const missing = file.dependency.find((name) => !names.has(name));
    if (missing === undefined) continue;
    throw new DescriptorImageError(
      `${path}: ${file.name} imports ${missing}, which is not in it; expected a file with all imports (buf build, or protoc --include_imports)`,
    );
  }
  try {
    return createFileRegistry(files);
  } catch (cause) {
    throw new DescriptorImageError(`${path}: ${messageOf(cause)}`, { cause });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
