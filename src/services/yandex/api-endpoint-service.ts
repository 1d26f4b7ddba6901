// yandex.cloud.endpoint.ApiEndpointService: where the APIs are served. Clients ask it before they have a token.
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { RpcError } from "../../base/rpc-error.ts";
import {
  type ApiEndpoint,
  ApiEndpointSchema,
} from "../../protocol/gen/yandex/cloud/endpoint/api_endpoint_pb.ts";
import {
  ApiEndpointService,
  type GetApiEndpointRequest,
  type ListApiEndpointsRequest,
  type ListApiEndpointsResponse,
  ListApiEndpointsResponseSchema,
} from "../../protocol/gen/yandex/cloud/endpoint/api_endpoint_service_pb.ts";
import type { CallContext, ServiceDefinition, ServiceMethod } from "../method.ts";
import { sayRequestId } from "./request-id-header.ts";

/** One API and its address. */
export interface Endpoint {
  /** For instance `operation`, `iam`, `ai`. The Python SDK fails without the first two. */
  readonly id: string;
  /** `host:port`. */
  readonly address: string;
}

/** The endpoints as a caller can reach them: by the name and port that it came by. */
export type EndpointsFor = (context: CallContext) => readonly Endpoint[];

/** The service; `endpoints` is asked for each call. */
export function createApiEndpointService(endpoints: EndpointsFor): ServiceDefinition {
  return {
    desc: ApiEndpointService,
    httpRules: {
      Get: [{ get: "/endpoints/{api_endpoint_id}" }],
      List: [{ get: "/endpoints" }],
    },
    methods: [
      sayRequestId(getEndpoint(endpoints)),
      sayRequestId(listEndpoints(endpoints)),
    ] as readonly ServiceMethod[],
  };
}

function getEndpoint(endpoints: EndpointsFor): ServiceMethod<GetApiEndpointRequest, ApiEndpoint> {
  return {
    desc: ApiEndpointService.method.get,
    isPublic: true,
    invoke({ apiEndpointId }, context) {
      const all = endpoints(context);
      const found = all.find(({ id }) => id === apiEndpointId);
      if (found) return create(ApiEndpointSchema, found);
      const known = all.map(({ id }) => id).join(", ");
      throw new RpcError("ENDPOINT_NOT_FOUND", { endpoint: apiEndpointId, known });
    },
    encodeBinary: (endpoint) => toBinary(ApiEndpointSchema, endpoint),
    encodeJson: (endpoint) => toJsonString(ApiEndpointSchema, endpoint),
  };
}

/** All endpoints on one page: page_size is deprecated and not used, and no page token is ever given out. */
function listEndpoints(
  endpoints: EndpointsFor,
): ServiceMethod<ListApiEndpointsRequest, ListApiEndpointsResponse> {
  return {
    desc: ApiEndpointService.method.list,
    isPublic: true,
    invoke({ pageToken }, context) {
      if (pageToken !== "") {
        const problem = "the list has one page";
        const fieldViolations = [{ field: "page_token", description: problem }];
        throw new RpcError("INVALID_PAGE_TOKEN", { problem }, { fieldViolations });
      }
      return create(ListApiEndpointsResponseSchema, { endpoints: [...endpoints(context)] });
    },
    encodeBinary: (page) => toBinary(ListApiEndpointsResponseSchema, page),
    encodeJson: (page) => toJsonString(ListApiEndpointsResponseSchema, page),
  };
}
