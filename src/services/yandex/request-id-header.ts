// x-request-id on the good answers of a gRPC method, as Yandex clients know it. Errors (grpc-call.ts) and REST replies have
// it for every service.
import type { Message } from "@bufbuild/protobuf";
import type { ServiceMethod } from "../method.ts";

const REQUEST_ID = "x-request-id";

/**
 * The method, telling the request id in the initial metadata of a good answer. Before an error it would take the error's
 * code away from the Node SDK (>= 2.7).
 */
export function sayRequestId<Request extends Message, Reply>(
  method: ServiceMethod<Request, Reply>,
): ServiceMethod<Request, Reply> {
  return {
    ...method,
    async invoke(request, context) {
      if (context.transport === "rest") return method.invoke(request, context);
      const reply = await method.invoke(request, context);
      context.setHeader(REQUEST_ID, context.requestId);
      return reply;
    },
  };
}
