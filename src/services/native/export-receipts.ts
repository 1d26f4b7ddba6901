// belay.v1.ExportReceipts: a tenant's chain of receipts, page by page. It holds all operations of the service, whatever
// their parent, so only a caller with all of the tenant's grants may read it.
import { create } from "@bufbuild/protobuf";
import { invalidField } from "../../base/rpc-error.ts";
import type { Engine } from "../../engine/engine.ts";
import {
  type ExportReceiptsRequest,
  type ExportReceiptsResponse,
  ExportReceiptsResponseSchema,
  Operations,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import { checkUnlimited } from "../access.ts";
import type { ServiceMethod } from "../method.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { timestampOf } from "../wire-time.ts";
import { messageMethod } from "./message-method.ts";
import { readPageSize } from "./request-fields.ts";

const PAGE_SIZE_DEFAULT = 500;

/** belay.v1.ExportReceipts. */
export function exportReceipts(engine: Engine, declaration: ServiceDeclaration): ServiceMethod {
  return messageMethod<ExportReceiptsRequest, ExportReceiptsResponse>(
    Operations.method.exportReceipts,
    declaration,
    async ({ after, pageSize }, context) => {
      checkUnlimited(context, "list", "receipts");
      if (after < 0n || after > BigInt(Number.MAX_SAFE_INTEGER)) {
        throw invalidField("after", `is ${after}; it is the number of an entry, or 0`);
      }
      const page = await engine.receiptChain.export({
        service: context.service,
        tenant: context.principal.tenant,
        after: Number(after),
        limit: readPageSize(pageSize, PAGE_SIZE_DEFAULT),
      });
      return create(ExportReceiptsResponseSchema, {
        entries: page.entries.map(({ sequence, name, content, hash }) => ({
          ...{ name, content, hash },
          sequence: BigInt(sequence),
        })),
        checkpoints: page.checkpoints.map(({ sequence, hash, time, keyId, signature }) => ({
          ...{ hash, keyId, signature },
          sequence: BigInt(sequence),
          time: timestampOf(time),
        })),
        publicKeys: { ...page.publicKeys },
        nextAfter: BigInt(page.nextAfter),
      });
    },
    "list",
  );
}
