// The id that makes a start repeatable: the request's own field, or the header of Yandex clients.
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import { invalidField } from "../../base/rpc-error.ts";
import type { CallContext } from "../method.ts";
import type { Dialect } from "../service-declaration.ts";
import { idempotencyKeyOf } from "../yandex/idempotency-key.ts";

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** Reads a call's request id; `""` for none. Throws INVALID_FIELD for a malformed one. */
export type ReadRequestId = (request: ReflectMessage, context: CallContext) => string;

/** Google (AIP-155): the string field `request_id`. Yandex: the header Idempotency-Key, where the field is absent or empty. */
export function requestIdReaderOf(desc: DescMessage, dialect: Dialect): ReadRequestId {
  const field = scalarField(desc, "request_id", ScalarType.STRING);
  return (request, context) => {
    const id = field === undefined ? "" : String(request.get(field) ?? "");
    if (id !== "" && !REQUEST_ID.test(id)) {
      throw invalidField("request_id", "must be 1-128 visible ASCII characters");
    }
    return id === "" && dialect === "yandex" ? idempotencyKeyOf(context) : id;
  };
}

/** True if the request has a field `validate_only` and sets it (AIP-163). */
export function isValidateOnly(request: ReflectMessage): boolean {
  const field = scalarField(request.desc, "validate_only", ScalarType.BOOL);
  return field !== undefined && request.get(field) === true;
}

function scalarField(desc: DescMessage, name: string, scalar: ScalarType): DescField | undefined {
  return desc.fields.find(
    (field) => field.name === name && field.fieldKind === "scalar" && field.scalar === scalar,
  );
}
