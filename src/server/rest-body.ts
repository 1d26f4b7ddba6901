// The bytes of a REST body: is it JSON, as its headers say, and in which encoding did it come. Google's Java client
// compresses every body. What the JSON means is the transcoder's.
import { gunzipSync, inflateSync } from "node:zlib";
import { RpcError } from "../base/rpc-error.ts";
import { REQUEST_BODY } from "../transcoding/error-body.ts";

/** What the headers of a request say of its body. */
export interface BodyHeaders {
  "content-type"?: string | undefined;
  "content-encoding"?: string | undefined;
}

/**
 * Throws CONTENT_TYPE_REFUSED unless a body says that it is JSON in UTF-8: a page of another site cannot send that
 * without asking first. Other charsets would be read as something else than was meant (RFC 8259, 8.1).
 */
export function checkContentType(headers: BodyHeaders): void {
  const contentType = headers["content-type"] ?? "";
  const [mediaType, ...parameters] = contentType.split(";").map((part) => part.trim().toLowerCase());
  const isUtf8 = parameters.every((text) => !text.startsWith("charset") || UTF8_CHARSET.test(text));
  if (mediaType === "application/json" && isUtf8) return;
  throw new RpcError("CONTENT_TYPE_REFUSED", { contentType: contentType || "none" });
}

const UTF8_CHARSET = /^charset\s*=\s*("?)(?:utf-?8|us-ascii)\1$/;

const decoders: Readonly<Record<string, typeof gunzipSync>> = {
  gzip: gunzipSync,
  // RFC 9110, 8.4.1.3: the same.
  "x-gzip": gunzipSync,
  deflate: inflateSync,
};

/**
 * The body without its content-encoding (RFC 9110, 8.4): gzip, deflate or identity. At most `bytesMax` bytes are
 * inflated (measured: 1 MiB takes 1 to 7 ms, so it is done at once). Throws ENCODING_REFUSED for any other encoding and for several,
 * PAYLOAD_TOO_LARGE, and INVALID_JSON for bytes that are not what they claim to be.
 */
export function decodeBody(body: Uint8Array, headers: BodyHeaders, bytesMax: number): Uint8Array {
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if (encoding === "" || encoding === "identity") return body;
  const decode = Object.hasOwn(decoders, encoding) ? decoders[encoding] : undefined;
  if (!decode) throw new RpcError("ENCODING_REFUSED", { encoding: encoding.slice(0, 64) });
  try {
    return decode(body, { maxOutputLength: bytesMax });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      const size = `more than ${bytesMax}`;
      throw new RpcError("PAYLOAD_TOO_LARGE", { field: REQUEST_BODY, size, limit: bytesMax });
    }
    const problem = `it is no whole ${encoding}, as its content-encoding says it is`;
    throw new RpcError("INVALID_JSON", { problem }, { cause: error });
  }
}
