// The message types that Belay itself can show as JSON inside an Any; a service adds its own.
import { createRegistry, type DescFile, type DescMessage, type Registry } from "@bufbuild/protobuf";
import {
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { file_belay_v1_operations } from "./gen/belay/v1/operations_pb.ts";
import { file_google_longrunning_operations } from "./gen/google/longrunning/operations_pb.ts";
import { file_google_rpc_error_details } from "./gen/google/rpc/error_details_pb.ts";
import { file_google_rpc_status } from "./gen/google/rpc/status_pb.ts";

/** A registry of the well-known types, google.rpc, google.longrunning, belay.v1, and the types given. */
export function createTypeRegistry(...added: (DescFile | DescMessage | Registry)[]): Registry {
  return createRegistry(
    file_google_protobuf_any,
    file_google_protobuf_duration,
    file_google_protobuf_empty,
    file_google_protobuf_field_mask,
    file_google_protobuf_struct,
    file_google_protobuf_timestamp,
    file_google_protobuf_wrappers,
    file_google_rpc_error_details,
    file_google_rpc_status,
    file_google_longrunning_operations,
    file_belay_v1_operations,
    ...added,
  );
}

/** The registry of a server without services of its own. */
export const baseTypeRegistry: Registry = createTypeRegistry();
