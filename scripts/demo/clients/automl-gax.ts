// Google's own `@google-cloud/automl`, unchanged, over gRPC: createModel, the operation's cancel, and its promise.
import { load, serveActions, settings } from "./client-program.ts";

interface ModelOperation {
  name: string;
  cancel(): Promise<unknown>;
  promise(): Promise<unknown>;
}

interface AutoMlClient {
  createModel(request: object): Promise<[ModelOperation]>;
  operationsClient: { getOperation(request: object): Promise<[Record<string, unknown>]> };
}

interface Package {
  v1beta1: { AutoMlClient: new (options: object) => AutoMlClient };
}

interface GrpcPackage {
  credentials: { createInsecure(): object };
}

const { port, parent, model } = settings<{ port: number; parent: string; model: object }>();
const { v1beta1 } = load("@google-cloud/automl") as Package;
const { credentials } = load("@grpc/grpc-js") as GrpcPackage;
const client = new v1beta1.AutoMlClient({
  apiEndpoint: "127.0.0.1",
  port,
  sslCreds: credentials.createInsecure(),
});

let operation: ModelOperation | undefined;
let rejection: Promise<string> | undefined;

/** What the promise of a cancelled operation rejects with. */
async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "its promise resolved";
  } catch (error) {
    const { code, message } = error as { code?: number; message: string };
    return `its promise rejected with code ${code}, ${JSON.stringify(message)}`;
  }
}

await serveActions({
  async start() {
    [operation] = await client.createModel({ parent, model });
    rejection = outcome(operation.promise());
    return operation.name;
  },
  async cancel() {
    await operation?.cancel();
    return await rejection;
  },
  async get(name) {
    const [{ done, error }] = await client.operationsClient.getOperation({ name });
    const { code, message } = (error ?? {}) as { code?: number; message?: string };
    return { name, done, ...(error !== null && { error: { code, message } }) };
  },
});
