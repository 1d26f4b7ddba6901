// X-HTTP-Method-Override: Java clients send PATCH as a POST with it. The listener reads the header; what it
// means is decided here.

/**
 * The HTTP method that a request means: on POST, the one in the header; on any other method the header is
 * ignored, so that a harmless-looking GET cannot delete. The answer goes to `Transcoder.match`, which takes
 * it only if a method is declared for it at that path (else METHOD_NOT_ALLOWED).
 */
export function effectiveHttpMethod(httpMethod: string, override: string | undefined): string {
  return httpMethod === "POST" && override ? override : httpMethod;
}
