// The peer of the REST figure: node:http that builds an Operation and stringifies it for each request.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tellReady } from "../child.ts";

const server = createServer((request, response) => {
  const name = (request.url ?? "").slice("/v1/".length);
  const operation = {
    name,
    done: true,
    response: { "@type": "type.googleapis.com/google.protobuf.Struct", value: { pages: 3, text: "belay" } },
  };
  const body = JSON.stringify(operation);
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
});
server.listen(0, "127.0.0.1", () => {
  process.on("disconnect", () => process.exit(0));
  tellReady({ port: (server.address() as AddressInfo).port });
});
