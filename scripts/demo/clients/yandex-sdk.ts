// Yandex Cloud's own SDK for Node.js, 2.x, unchanged: starts the recognition of a page, and reads operations. Where it
// connects to, and whom it trusts, is told by the environment alone (https_proxy, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH).
import { readFileSync } from "node:fs";
import { load, serveActions, settings } from "./client-program.ts";

interface Operation {
  id: string;
  done: boolean;
  error?: { code: number; message: string };
}

interface Message {
  fromPartial(fields: object): object;
}

interface Session {
  client<Client>(type: new () => Client): Client;
}

interface Package {
  Session: new (config: { oauthToken: string | undefined }) => Session;
  cloudApi: {
    ai: {
      ocr_service: {
        TextRecognitionAsyncServiceClient: new () => { recognize(request: object): Promise<Operation> };
        RecognizeTextRequest: Message;
      };
    };
    operation: { operation_service: { GetOperationRequest: Message } };
  };
  serviceClients: { OperationServiceClient: new () => { get(request: object): Promise<Operation> } };
}

const { requestFile } = settings<{ requestFile: string }>();
const { Session, cloudApi, serviceClients } = load("@yandex-cloud/nodejs-sdk") as Package;
const { TextRecognitionAsyncServiceClient, RecognizeTextRequest } = cloudApi.ai.ocr_service;
const { GetOperationRequest } = cloudApi.operation.operation_service;
const session = new Session({ oauthToken: process.env["YC_OAUTH_TOKEN"] });
const vision = session.client(TextRecognitionAsyncServiceClient);
const operations = session.client(serviceClients.OperationServiceClient);

await serveActions({
  async start() {
    const { content, ...rest } = JSON.parse(readFileSync(requestFile, "utf8")) as { content: string };
    const request = { ...rest, content: Buffer.from(content, "base64") };
    return (await vision.recognize(RecognizeTextRequest.fromPartial(request))).id;
  },
  async get(operationId) {
    const { id, done, error } = await operations.get(GetOperationRequest.fromPartial({ operationId }));
    return { id, done, ...(error && { error: { code: error.code, message: error.message } }) };
  },
});
