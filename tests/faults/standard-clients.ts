// Clients as others write them, with the retries that are the standard ones and no more: google-gax behind the balancer, and
// plain grpc-js with its own retry policy, which knows all nodes. Whatever they hand on as an error is kept.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceConfig, type ServiceError, status } from "@grpc/grpc-js";
import * as gax from "google-gax";
import { delay } from "../../src/base/timers.ts";
import { startMessage } from "../../src/client/start-message.ts";
import { type Operation, Operations } from "../../src/protocol/gen/belay/v1/operations_pb.ts";
import { type Call, NEVER } from "../history/history.ts";
import type { Recorder } from "../history/recorder.ts";
import { viewOfGoogle } from "../history/view.ts";

// Without this the library looks for a cloud's metadata server before its first call.
process.env["METADATA_SERVER_DETECTION"] = "none";

const DEADLINE_MS = 15_000;

/** What these clients did, and what their users would have seen. */
export class StandardClients {
  readonly errors: string[] = [];
  calls = 0;
  ended = 0;
  readonly #grpc: Client;
  readonly #gax: gax.OperationsClient;
  readonly #name: string;
  readonly #recorder: Recorder;

  /** `balanced`: one address for all nodes. */
  constructor(
    name: string,
    recorder: Recorder,
    ports: readonly number[],
    balanced: { host: string; port: number },
  ) {
    this.#name = name;
    this.#recorder = recorder;
    const target = `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join()}`;
    this.#grpc = new Client(target, credentials.createInsecure(), {
      "grpc.service_config": JSON.stringify(serviceConfig),
      "grpc.enable_http_proxy": 0,
    });
    this.#gax = gax.lro({} as gax.GrpcClientOptions).operationsClient({
      ...{ servicePath: balanced.host, port: balanced.port },
      sslCreds: gax.grpc.credentials.createInsecure(),
    } as gax.ClientOptions);
  }

  /** Starts by grpc-js; follows, cancels every third and lists by google-gax, until `isOver`. */
  async run(isOver: () => boolean): Promise<void> {
    for (let count = 0; !isOver(); count++) {
      const requestId = `${this.#name}-${count}`;
      const start = { what: "start", name: "", requestId } as const;
      const name = await this.#kept(
        start,
        () => this.#start(requestId),
        (started) => ({ name: started }),
      );
      if (name === undefined) continue;
      const cancel = { what: "cancel", name } as const;
      if (count % 3 === 0)
        await this.#kept(
          cancel,
          () => this.#gax.cancelOperation({ name } as never),
          () => ({}),
        );
      if (count % 5 === 0) await this.#list();
      for (let isDone = false; !isDone; ) {
        const get = (): Promise<unknown[]> => this.#gax.getOperation({ name } as never);
        const got = await this.#kept({ what: "get", name }, get, ([shown]) => ({
          view: viewOfGoogle(shown as Parameters<typeof viewOfGoogle>[0]),
        }));
        isDone = got === undefined || (got[0] as { done?: boolean }).done === true;
        if (!isDone) await delay(20);
      }
      this.ended++;
    }
  }

  close(): void {
    this.#grpc.close();
    void this.#gax.close();
  }

  async #list(): Promise<void> {
    const request = { name: "operations", filter: "done = false", pageSize: 100 };
    try {
      for await (const _ of this.#gax.listOperationsAsync(request as never)) this.calls++;
    } catch (error) {
      this.#failed("list", error as ServiceError);
    }
  }

  #start(requestId: string): Promise<string> {
    const { input, output, parent, name } = Operations.method.startOperation;
    const options = { requestId, payload: { ms: 20 }, labels: { request: requestId } };
    const message = create(input, startMessage("trace.inline", options));
    return new Promise((resolve, reject) => {
      this.#grpc.makeUnaryRequest(
        `/${parent.typeName}/${name}`,
        (value: typeof message) => Buffer.from(toBinary(input, value)),
        (bytes: Buffer) => fromBinary(output, bytes),
        message,
        { deadline: new Date(Date.now() + DEADLINE_MS) },
        (error: ServiceError | null, reply?: Operation) =>
          reply ? resolve(reply.name) : reject(error ?? new Error("no reply")),
      );
    });
  }

  /** Records the call; one that failed after all its retries may still have been done. */
  async #kept<T>(
    fields: Pick<Call, "what" | "name" | "requestId">,
    call: () => Promise<T>,
    read: (answer: T) => Partial<Call>,
  ): Promise<T | undefined> {
    this.calls++;
    const recorded = { ...fields, caller: this.#name, node: "any", startMs: performance.now() };
    try {
      const answer = await call();
      this.#recorder.calls.push({ ...recorded, endMs: performance.now(), outcome: "ok", ...read(answer) });
      return answer;
    } catch (error) {
      this.#recorder.calls.push({ ...recorded, endMs: NEVER, outcome: "unknown" });
      this.#failed(fields.what, error as ServiceError);
      return undefined;
    }
  }

  #failed(what: string, { code, message }: ServiceError): void {
    this.errors.push(`${this.#name} ${what}: ${status[code] ?? code} ${message}`);
  }
}

/** As https://grpc.io/docs/guides/retry writes it: five tries, and only after UNAVAILABLE. */
const serviceConfig: ServiceConfig = {
  loadBalancingConfig: [{ round_robin: {} }] as never,
  methodConfig: [
    {
      name: [{ service: "belay.v1.Operations" }],
      retryPolicy: {
        ...{ maxAttempts: 5, initialBackoff: "0.1s", maxBackoff: "1s", backoffMultiplier: 2 },
        retryableStatusCodes: [status.UNAVAILABLE],
      },
    },
  ],
};
