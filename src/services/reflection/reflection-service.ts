// grpc.reflection.v1 and v1alpha: tells clients such as grpcurl and buf curl what is served, from the descriptors
// that the services themselves are built on.
import { create, type DescMethod, type DescService } from "@bufbuild/protobuf";
import { StatusCode } from "../../base/status-code.ts";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "../../protocol/gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../protocol/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import type { StreamingServiceDefinition, StreamMethod } from "../stream-method.ts";
import { DescriptorIndex } from "./descriptor-index.ts";

type MessageResponse = ServerReflectionResponse["messageResponse"];

/**
 * Both versions of the service. They describe themselves, and what `servicesAt` answers for the authority of a call: the
 * same array each time for what is the same, since its index is kept by it.
 */
export function createReflectionServices(
  servicesAt: (authority: string | undefined) => readonly DescService[],
): StreamingServiceDefinition[] {
  const indexes = new Map<readonly DescService[], DescriptorIndex>();
  const indexAt = (authority: string | undefined): DescriptorIndex => {
    const services = servicesAt(authority);
    let index = indexes.get(services);
    if (!index) {
      index = new DescriptorIndex([...new Set([...services, ServerReflection, ServerReflectionAlpha])]);
      indexes.set(services, index);
    }
    return index;
  };
  return [ServerReflection, ServerReflectionAlpha].map((desc) => ({
    desc,
    methods: [],
    streams: [reflectionMethod(desc.method.serverReflectionInfo, indexAt)],
  }));
}

/** v1 and v1alpha differ in their package only, so one implementation with v1's types serves both. */
function reflectionMethod(
  desc: DescMethod,
  indexAt: (authority: string | undefined) => DescriptorIndex,
): StreamMethod {
  return {
    desc,
    open: (responses, { authority }) => ({
      received: (message) => {
        const request = message as unknown as ServerReflectionRequest;
        const messageResponse = answerRequest(request, indexAt(authority));
        const init = { validHost: request.host, originalRequest: message, messageResponse };
        responses.send(create(desc.output, init as never));
      },
      finished: () => responses.end(),
      gone: () => {
        // Nothing is kept between requests.
      },
    }),
  };
}

function answerRequest({ messageRequest }: ServerReflectionRequest, index: DescriptorIndex): MessageResponse {
  switch (messageRequest.case) {
    case "fileByFilename":
      return files(index.fileByName(messageRequest.value), messageRequest.value);
    case "fileContainingSymbol":
      return files(index.fileBySymbol(messageRequest.value), messageRequest.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = messageRequest.value;
      return files(
        index.fileByExtension(containingType, extensionNumber),
        `${containingType} ${extensionNumber}`,
      );
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = index.extensionNumbers(messageRequest.value);
      if (!extensionNumber) return notFound(messageRequest.value);
      const value = { baseTypeName: messageRequest.value, extensionNumber };
      return { case: "allExtensionNumbersResponse", value } as MessageResponse;
    }
    case "listServices": {
      const service = index.services.map((name) => ({ name }));
      return { case: "listServicesResponse", value: { service } } as MessageResponse;
    }
    default:
      return errorResponse(StatusCode.INVALID_ARGUMENT, "the request asks for nothing");
  }
}

function files(fileDescriptorProto: Uint8Array[] | undefined, wanted: string): MessageResponse {
  if (!fileDescriptorProto) return notFound(wanted);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } } as MessageResponse;
}

function notFound(wanted: string): MessageResponse {
  return errorResponse(StatusCode.NOT_FOUND, `${wanted.slice(0, 256)} is not known here`);
}

function errorResponse(errorCode: number, errorMessage: string): MessageResponse {
  return { case: "errorResponse", value: { errorCode, errorMessage } } as MessageResponse;
}
