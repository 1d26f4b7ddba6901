// What a data folder holds beside its database, and all nodes of a shared store need: the keys that sign receipts and IAM
// tokens, and which tokens were revoked. What belongs to the machine (certificates, the development key) stays.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { createLogger } from "../../base/logger.ts";
import { readPrivateFile } from "../../base/private-files.ts";
import type { SharedFiles } from "../../base/shared-files.ts";
import { openSharedReceiptKeys } from "../../engine/receipts/shared-receipt-keys.ts";
import { readLines } from "../../server/auth/revoked-tokens.ts";
import { SharedRevocations } from "../../server/auth/shared-revocations.ts";
import { PostgresFiles } from "../../stores/postgres/postgres-files.ts";
import type { Queryable } from "../../stores/postgres/queryable.ts";

/** Copies them within the transaction of a move; answers what there was, for people. */
export async function moveSecrets(folder: string, connection: Queryable): Promise<string[]> {
  const files = new PostgresFiles({
    rows: (statement, values) => connection.rows(statement, values),
    transaction: (work) => work(connection),
  });
  const moved: string[] = [];
  const receipts = join(folder, "receipts");
  if (existsSync(join(receipts, "signing-key.pem"))) {
    await openSharedReceiptKeys(files, receipts);
    moved.push("the key that signs receipts");
  }
  const iamKeys = readPrivateFile(join(folder, "identity", "iam-keys.json"));
  if (iamKeys !== undefined) {
    await files.write("identity/iam-keys.json", iamKeys, 0);
    moved.push("the keys of IAM tokens");
  }
  const revoked = await moveRevoked(readPrivateFile(join(folder, "identity", "revoked-tokens")), files);
  if (revoked > 0) moved.push(`${revoked} revoked tokens`);
  return moved;
}

async function moveRevoked(text: string | undefined, files: SharedFiles): Promise<number> {
  const ends = readLines(text ?? "");
  const revocations = new SharedRevocations(files, systemClock(), createLogger("silent"));
  for (const [id, expiresAt] of ends) await revocations.add(id, expiresAt);
  await revocations.close();
  return ends.length;
}
