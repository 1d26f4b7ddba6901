// The TypeScript worker keeps every claim that is made about workers.
import { cancelClaims } from "./cancel-claims.ts";
import { describeWorker } from "./describe-worker.ts";
import { drainClaims } from "./drain-claims.ts";
import { leaseClaims } from "./lease-claims.ts";
import { runningClaims } from "./running-claims.ts";
import { typescriptWorker } from "./typescript-program.ts";

describeWorker(typescriptWorker, "keeps the claims:", [
  runningClaims,
  cancelClaims,
  drainClaims,
  leaseClaims,
]);
