// ListOperations as Yandex's resource services have it: the operations that were started on one resource.
import {
  type DescField,
  type DescMessage,
  type DescMethod,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { invalidField } from "../../base/rpc-error.ts";
import type { Engine } from "../../engine/engine.ts";
import type { ListPage } from "../../engine/store.ts";
import {
  encodeYandexOperationPage,
  type YandexOperationPageView,
  yandexOperationPageToJsonText,
} from "../../protocol/yandex-operation-encoder.ts";
import { checkReach } from "../access.ts";
import type { ServiceMethod } from "../method.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { toYandexView } from "../yandex/projection.ts";
import { requestCheckOf } from "./request-check.ts";
import { quoted, translateYandexFilter } from "./yandex-filter.ts";

const PAGE_SIZE_DEFAULT = 100;
const PAGE_SIZE_MAX = 1000;
const LABEL_KEY = /^[a-z][a-z0-9_]{0,62}$/;

/** The fields of a ListOperations request. */
interface ListShape {
  /** `disk_id`, `cluster_id`, ... */
  id: DescField;
  pageSize: DescField;
  pageToken: DescField;
  filter: DescField | undefined;
}

/**
 * The request field whose value tells the resource, for a method of the shape: named ListOperations; one string field
 * `<resource>_id`, page_size, page_token and maybe filter; answering `operations` (1) and `next_page_token` (2).
 * Null for any other method.
 */
export function listedIdOf(method: DescMethod): string | null {
  return listShapeOf(method)?.id.name ?? null;
}

/**
 * Serves a method of that shape; null for any other method. Throws
 * IAM_PERMISSION_DENIED, INVALID_FIELD for a missing id or a page size outside 0-1000, INVALID_FILTER and
 * INVALID_PAGE_TOKEN.
 */
export function listOperationsMethodOf(
  desc: DescMethod,
  engine: Engine,
  declaration: ServiceDeclaration,
): ServiceMethod | null {
  const shape = listShapeOf(desc);
  if (shape === null) return null;
  const checkRequest = requestCheckOf(desc.input);
  const viewOf = ({ operations, nextPageToken }: ListPage): YandexOperationPageView => ({
    operations: operations.map((stored) => toYandexView(stored, declaration)),
    nextPageToken,
  });
  const method: ServiceMethod<Message, ListPage> = {
    desc,
    kind: "list",
    invoke(message, context) {
      const request = reflect(desc.input, message);
      checkReach(context, "list", "");
      checkRequest(request);
      return engine.list({
        service: context.service,
        tenant: context.principal.tenant,
        parent: "",
        filter: filterOf(request, shape),
        pageSize: pageSizeOf(request, shape),
        pageToken: textOf(request, shape.pageToken),
      });
    },
    encodeBinary: (page) => encodeYandexOperationPage(viewOf(page)),
    encodeJson: (page) => yandexOperationPageToJsonText(viewOf(page), declaration.registry),
  };
  return method as typeof method & ServiceMethod;
}

function listShapeOf({ name, methodKind, input, output }: DescMethod): ListShape | null {
  if (name !== "ListOperations" || methodKind !== "unary" || !isPageOfOperations(output)) return null;
  const find = (field: string): DescField | undefined => input.fields.find((one) => one.name === field);
  const pageSize = find("page_size");
  const pageToken = find("page_token");
  const [id, ...others] = input.fields.filter((field) => isText(field) && field.name.endsWith("_id"));
  if (!id || others.length > 0 || !LABEL_KEY.test(id.name)) return null;
  const isPaged = pageSize?.fieldKind === "scalar" && pageToken !== undefined && isText(pageToken);
  return isPaged ? { id, pageSize, pageToken, filter: find("filter") } : null;
}

function isPageOfOperations(desc: DescMessage): boolean {
  const operations = desc.fields.find(({ number }) => number === 1);
  const token = desc.fields.find(({ number }) => number === 2);
  return (
    operations?.name === "operations" &&
    operations.fieldKind === "list" &&
    operations.message?.typeName === "yandex.cloud.operation.Operation" &&
    token?.name === "next_page_token" &&
    isText(token)
  );
}

function isText(field: DescField): boolean {
  return field.fieldKind === "scalar" && field.scalar === ScalarType.STRING;
}

function textOf(request: ReflectMessage, field: DescField): string {
  return String(request.get(field) ?? "");
}

function filterOf(request: ReflectMessage, { id, filter }: ListShape): string {
  const resource = textOf(request, id);
  if (resource === "") throw invalidField(id.name, "is required");
  if (/\p{Cc}/u.test(resource)) throw invalidField(id.name, "must not hold control characters");
  const ofResource = `labels.${id.name} = ${quoted(resource)}`;
  const asked = filter === undefined ? "" : translateYandexFilter(textOf(request, filter));
  return asked === "" ? ofResource : `${ofResource} AND ${asked}`;
}

/** "0-1000", as the API's own rule says; a larger one is an error there, not coerced. */
function pageSizeOf(request: ReflectMessage, { pageSize }: ListShape): number {
  const given = Number(request.get(pageSize) ?? 0);
  if (given < 0 || given > PAGE_SIZE_MAX)
    throw invalidField("page_size", `is ${given}; it takes 0-${PAGE_SIZE_MAX}`);
  return given === 0 ? PAGE_SIZE_DEFAULT : given;
}
