// Lost workers with a hundred operations, fifty of them being cancelled.
import { testLostWorkers } from "./lost-worker.ts";

testLostWorkers({ operations: 100, leaseMs: 3000 }, 1);
