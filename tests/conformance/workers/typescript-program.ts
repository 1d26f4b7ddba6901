// How the TypeScript worker is run: from source, as it stands.
import { fileURLToPath } from "node:url";
import type { WorkerProgram } from "./worker-stage.ts";

const file = fileURLToPath(new URL("./typescript-worker.ts", import.meta.url));

export const typescriptWorker: WorkerProgram = {
  language: "TypeScript",
  command: (args) => [process.execPath, file, ...args],
};
