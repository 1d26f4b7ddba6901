// The peer of the gRPC figures: a grpc-js server whose handler answers fixed bytes.
import { Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import { answerParent, tellReady } from "../child.ts";

const identity = (bytes: Buffer): Buffer => bytes;
let reply: Buffer = Buffer.alloc(0);

const definition: ServiceDefinition = {
  get: {
    path: "/peer.Peer/Get",
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
};

const server = new Server();
server.addService(definition, {
  get: (_call: unknown, callback: (error: null, bytes: Buffer) => void) => callback(null, reply),
});
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  answerParent<{ reply: string }>(async (question) => {
    reply = Buffer.from(question.reply, "base64");
    return {};
  });
  tellReady({ address: `127.0.0.1:${port}` });
});
