// A native method: its reply is a protobuf-es message, in which an Any of an unknown type never breaks the JSON.
import { type DescMethod, type Message, toBinary } from "@bufbuild/protobuf";
import { messageToJson } from "../../protocol/any.ts";
import type { CallContext, ServiceMethod } from "../method.ts";
import type { MethodKind, ServiceDeclaration } from "../service-declaration.ts";

/** Makes the method. `kind` says what it is for where its name does not begin with the word. */
export function messageMethod<Request extends Message, Reply extends Message>(
  desc: DescMethod,
  { registry }: ServiceDeclaration,
  invoke: (request: Request, context: CallContext) => Promise<Reply>,
  kind?: MethodKind,
): ServiceMethod {
  const method: ServiceMethod<Request, Reply> = {
    desc,
    ...(kind && { kind }),
    invoke,
    encodeBinary: (reply) => toBinary(desc.output, reply),
    encodeJson: (reply) => JSON.stringify(messageToJson(desc.output, reply, registry)),
  };
  return method as typeof method & ServiceMethod;
}
