// The descriptors of the served services, by file name, symbol and extension: what reflection answers from.
import { type AnyDesc, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Built on the first question: most servers are never asked. */
export class DescriptorIndex {
  readonly services: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #filesBySymbol = new Map<string, DescFile>();
  /** By extended message, then by number. */
  readonly #filesByExtension = new Map<string, Map<number, DescFile>>();

  constructor(services: readonly DescService[]) {
    this.services = services.map((service) => service.typeName);
    for (const service of services) this.#addFile(service.file);
  }

  /** The serialised file with everything that it imports, itself first; undefined for an unknown file. */
  fileByName(name: string): Uint8Array[] | undefined {
    return serialise(this.#files.get(name));
  }

  fileBySymbol(symbol: string): Uint8Array[] | undefined {
    return serialise(this.#filesBySymbol.get(symbol));
  }

  fileByExtension(extendedType: string, number: number): Uint8Array[] | undefined {
    return serialise(this.#filesByExtension.get(extendedType)?.get(number));
  }

  /** The numbers of the known extensions of a message; undefined for an unknown message. */
  extensionNumbers(extendedType: string): number[] | undefined {
    const known = this.#filesByExtension.get(extendedType);
    if (known) return [...known.keys()].sort((a, b) => a - b);
    return this.#filesBySymbol.has(extendedType) ? [] : undefined;
  }

  #addFile(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const desc of nestedTypes(file)) this.#addSymbol(desc, file);
    for (const imported of file.dependencies) this.#addFile(imported);
  }

  #addSymbol(desc: AnyDesc, file: DescFile): void {
    if (!("typeName" in desc)) return;
    this.#filesBySymbol.set(desc.typeName, file);
    if (desc.kind === "service") {
      for (const method of desc.methods) this.#filesBySymbol.set(`${desc.typeName}.${method.name}`, file);
    } else if (desc.kind === "message") {
      for (const field of desc.fields) this.#filesBySymbol.set(`${desc.typeName}.${field.name}`, file);
    } else if (desc.kind === "extension") {
      const extended = desc.extendee.typeName;
      const numbers = this.#filesByExtension.get(extended) ?? new Map<number, DescFile>();
      numbers.set(desc.number, file);
      this.#filesByExtension.set(extended, numbers);
    }
  }
}

function serialise(file: DescFile | undefined): Uint8Array[] | undefined {
  if (!file) return undefined;
  const files = new Set<DescFile>([file]);
  // A Set may grow while it is walked: this visits the imports of imports too, each once.
  for (const visited of files) for (const imported of visited.dependencies) files.add(imported);
  return [...files].map((each) => toBinary(FileDescriptorProtoSchema, each.proto));
}
