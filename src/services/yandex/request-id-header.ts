// x-request-id on every answer of a gRPC method: Yandex clients show it with errors. REST has it on every reply already.
import type { Message } from "@bufbuild/protobuf";
import type { ServiceMethod } from "../method.ts";

const REQUEST_ID = "x-request-id";

/**
 * The method, telling the request id: in the initial metadata of a good answer, in the trailer of an error. Initial
 * metadata before an error would take the error's code away from the Node SDK (>= 2.7).
 */
export function sayRequestId<Request extends Message, Reply>(
  method: ServiceMethod<Request, Reply>,
): ServiceMethod<Request, Reply> {
  return {
    ...method,
    async invoke(request, context) {
      if (context.transport === "rest") return method.invoke(request, context);
      try {
        const reply = await method.invoke(request, context);
        context.setHeader(REQUEST_ID, context.requestId);
        return reply;
      } catch (error) {
        context.setTrailer(REQUEST_ID, context.requestId);
        throw error;
      }
    },
  };
}
