// HTTP/1.1 as it goes over the wire: what fetch would not send, or would mend, is sent here as it stands.
import { once } from "node:events";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";

export interface RawResponse {
  status: number;
  headers: Record<string, string>;
  text: string;
}

/** One request by node:http, which leaves path and headers alone. No body: neither content-length nor encoding. */
export function rawRequest(
  port: number,
  method: string,
  path: string,
  options: { body?: string | undefined; headers?: Record<string, string> } = {},
): Promise<RawResponse> {
  const { body, headers = {} } = options;
  return new Promise((resolve, reject) => {
    const call = request({ port, host: "127.0.0.1", method, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: plain(response.headers), text }),
      );
    });
    call.on("error", reject);
    call.end(body);
  });
}

function plain(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** Sends these bytes on a fresh connection; answers everything until the server closes it. */
export async function rawBytes(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    text += chunk;
  });
  socket.write(bytes);
  await once(socket, "close");
  return text;
}
