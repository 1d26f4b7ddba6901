// `services:` of belay.yaml: the form of an entry. What its values may be is src/services/service-rules.ts's.
import { z } from "zod";
import {
  type MethodScopes,
  methodKinds,
  type ServiceDeclaration,
} from "../../services/service-declaration.ts";
import { dialects, restMethodKinds } from "../../services/service-rules.ts";

/** An entry: a declaration of which anything but the id may be left out, with its descriptors in a file. */
export interface ServiceEntry
  extends Partial<Omit<ServiceDeclaration, "id" | "scopes" | "startServices" | "registry">> {
  readonly id: string;
  readonly scopes?: MethodScopes;
  /** An absolute path. */
  readonly descriptors?: string;
  /** Full names of services in the descriptors; absent: all that have start methods. */
  readonly startServices?: readonly string[];
}

const texts = z.array(z.string());

/** `file` reads the name of a file that must be there into its absolute path. */
export function serviceSchema(file: z.ZodType<string, string>): z.ZodType<ServiceEntry> {
  const optional = {
    dialect: z.enum(dialects),
    hosts: texts,
    ports: z.array(z.int()),
    idPrefix: z.string(),
    restPrefix: z.string(),
    parents: texts,
    restMethods: z.array(z.enum(restMethodKinds)),
    scopes: z.partialRecord(z.enum(methodKinds), texts),
    metadataType: z.string().nullable(),
    types: texts.nullable(),
    cancellable: z.boolean(),
    uncancellableTypes: texts,
    getCancels: z.boolean(),
    pollIntervalSeconds: z.int().nullable(),
    descriptors: file,
    startServices: texts,
    startTypes: z.record(z.string(), z.string()),
    title: z.string(),
    documentationLink: z.string(),
    discoveryVersion: z.string().nullable(),
  };
  return z.strictObject({
    id: z.string(),
    ...z.strictObject(optional).partial().shape,
  }) as unknown as z.ZodType<ServiceEntry>;
}
