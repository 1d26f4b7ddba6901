// Lost workers with few operations, for every change. lost-worker.long.test.ts has many.
import { testLostWorkers } from "./lost-worker.ts";

testLostWorkers({ operations: 10, leaseMs: 2000 }, 2);
