// The Python worker keeps every claim that is made about workers, and its example does what its README says.
import { cancelClaims } from "./cancel-claims.ts";
import { describeWorker } from "./describe-worker.ts";
import { drainClaims } from "./drain-claims.ts";
import { leaseClaims } from "./lease-claims.ts";
import { describePythonExample } from "./python-example.ts";
import { pythonWorker, setUpPython } from "./python-program.ts";
import { runningClaims } from "./running-claims.ts";

const python = setUpPython();

describeWorker(pythonWorker(python), "keeps the claims:", [
  runningClaims,
  cancelClaims,
  drainClaims,
  leaseClaims,
]);

describePythonExample(python);
