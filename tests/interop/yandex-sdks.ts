// Both generations of the Yandex Cloud SDK for Node.js, brought to the same names. Their own types are not imported: those
// of 2.x describe every API at once.
import { clientVersion } from "./client-version.ts";

/** An operation as both decode it. */
export interface SdkOperation {
  id: string;
  description: string;
  createdAt?: Date;
  createdBy: string;
  modifiedAt?: Date;
  done: boolean;
  metadata?: { typeUrl: string; value: Uint8Array };
  error?: { code: number; message: string; details: unknown[] };
  response?: { typeUrl: string; value: Uint8Array };
}

/** What rejects when the server answered an error without anything before it (trailers only). */
export interface ClientError extends Error {
  path: string;
  code: number;
  details: string;
}

interface MessageType<Fields, Message = object> {
  fromPartial(fields: Fields): Message;
  decode(bytes: Uint8Array): Message;
}

export interface OperationServiceClient {
  get(request: object): Promise<SdkOperation>;
  cancel(request: object): Promise<SdkOperation>;
}

export interface TextRecognitionClient {
  recognize(request: object): Promise<SdkOperation>;
}

interface ClientClass<Client> {
  readonly client?: Client;
}

export interface Session {
  client<Client>(type: ClientClass<Client>, endpoint?: string): Client;
}

interface Credentials {
  iamToken?: string;
  serviceAccountJson?: object;
  oauthToken?: string;
  ssl?: { rootCerts: Buffer };
  pollInterval?: number;
  headers?: Record<string, string>;
}

export interface Sdk {
  version: string;
  Session: new (config: Credentials) => Session;
  waitForOperation(
    operation: SdkOperation,
    session: Session,
    timeoutMs?: number,
    endpoint?: string,
  ): Promise<SdkOperation>;
  OperationServiceClient: ClientClass<OperationServiceClient>;
  GetOperationRequest: MessageType<{ operationId: string }>;
  CancelOperationRequest: MessageType<{ operationId: string }>;
  TextRecognitionAsyncServiceClient: ClientClass<TextRecognitionClient>;
  RecognizeTextRequest: MessageType<{ content: Buffer; mimeType: string; model: string }>;
  RecognizeTextResponse: MessageType<
    object,
    { textAnnotation?: { blocks: { lines: { text: string }[] }[] } }
  >;
}

type Names = Record<string, unknown>;

async function load(name: string): Promise<Names> {
  return (await import(name)) as Names;
}

async function loadSecond(): Promise<Sdk> {
  const { Session, waitForOperation, cloudApi, serviceClients } = await load("@yandex-cloud/nodejs-sdk");
  const api = cloudApi as { operation: Record<string, Names>; ai: Record<string, Names> };
  return {
    version: clientVersion("@yandex-cloud/nodejs-sdk"),
    Session,
    waitForOperation,
    ...(serviceClients as Names),
    ...api.operation["operation_service"],
    ...api.ai["ocr_service"],
  } as unknown as Sdk;
}

async function loadThird(): Promise<Sdk> {
  const [own, operation, ocr] = await Promise.all([
    load("yandex-nodejs-sdk-3"),
    load("yandex-nodejs-sdk-3/operation"),
    load("yandex-nodejs-sdk-3/ai-ocr-v1"),
  ]);
  const { Session, waitForOperation } = own;
  return {
    version: clientVersion("yandex-nodejs-sdk-3"),
    Session,
    waitForOperation,
    ...(operation["operationService"] as Names),
    ...(ocr["ocrService"] as Names),
  } as unknown as Sdk;
}

/** Loads both; the environment that they read (CA, proxy) must be set before. */
export async function loadSdks(): Promise<Sdk[]> {
  return await Promise.all([loadSecond(), loadThird()]);
}
