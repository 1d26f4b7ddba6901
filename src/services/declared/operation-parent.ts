// Under which parent an operation starts: the longest part of the resource that the request names which the service has
// operations under.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import { isOperationParent } from "../../protocol/operation-name.ts";
import { fitsParents } from "../parent-pattern.ts";

/** Reads the resource that a request is about. */
export interface ResourceField {
  /** For error messages: `parent`, `name`, `model.name`. */
  readonly path: string;
  /** The value is itself a parent, and not a resource below one (AIP-133 against AIP-134 and 135). */
  readonly isParent: boolean;
  read(request: ReflectMessage): string;
}

/**
 * The field that names the resource: `parent` (Create, AIP-133), `name` (Delete and custom methods, AIP-135), or the
 * `name` of the one message that has one (Update, AIP-134). Null if the request has none of them.
 */
export function resourceFieldOf(desc: DescMessage): ResourceField | null {
  for (const path of ["parent", "name"]) {
    const field = textField(desc, path);
    if (field)
      return { path, isParent: path === "parent", read: (request) => String(request.get(field) ?? "") };
  }
  const holders = desc.fields.flatMap((holder) => {
    if (holder.fieldKind !== "message") return [];
    const name = textField(holder.message, "name");
    return name ? [{ holder, name }] : [];
  });
  const [only, ...others] = holders;
  if (!only || others.length > 0) return null;
  const { holder, name } = only;
  return {
    path: `${holder.name}.name`,
    isParent: false,
    read: (request) => (request.isSet(holder) ? String(request.get(holder).get(name) ?? "") : ""),
  };
}

function textField(
  desc: DescMessage,
  name: string,
): (DescField & { fieldKind: "scalar"; scalar: ScalarType.STRING }) | undefined {
  return desc.fields.find(
    (field): field is DescField & { fieldKind: "scalar"; scalar: ScalarType.STRING } =>
      field.name === name && field.fieldKind === "scalar" && field.scalar === ScalarType.STRING,
  );
}

/**
 * The parent for an operation on a resource, of those that fit the patterns; null if none does.
 * `projects/p/locations/l/models/m` under `projects/*\/locations/*` is `projects/p/locations/l`. A resource that is under
 * nothing that fits may be the parent itself, and where the root fits, that is the last choice.
 */
export function parentOfResource(
  resource: string,
  isParent: boolean,
  patterns: readonly string[],
): string | null {
  const segments = resource === "" ? [] : resource.split("/");
  const prefixes: string[] = [];
  for (let length = segments.length - 2; length > 0; length -= 2) {
    prefixes.push(segments.slice(0, length).join("/"));
  }
  const candidates = isParent ? [resource, ...prefixes] : [...prefixes, resource];
  const fitting = candidates.find(
    (one) => one !== "" && isOperationParent(one) && fitsParents(one, patterns),
  );
  return fitting ?? (fitsParents("", patterns) ? "" : null);
}
