// A proxy for CONNECT that leads every host of Yandex Cloud to a server here: it makes their SDKs, whose endpoints are fixed,
// talk to it without a change of their code. It sees host names and ciphertext, nothing else.
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

const YANDEX_HOST = /^(?:[\w-]+\.)*api\.cloud\.yandex\.net:443$/;

export interface ConnectProxy {
  /** For `https_proxy`. */
  url: string;
  /** The hosts that were asked for, without ports, in order. */
  hosts: string[];
  stop(): Promise<void>;
}

/** Starts a proxy in front of the server at the port. */
export async function startConnectProxy(target: { host: string; port: number }): Promise<ConnectProxy> {
  const hosts: string[] = [];
  const sockets = new Set<Socket>();
  const proxy = createServer((_request, response) => response.writeHead(405).end());
  proxy.on("connection", (socket) => sockets.add(socket.once("close", () => sockets.delete(socket))));
  proxy.on("connect", ({ url = "" }, client, head) => {
    if (!YANDEX_HOST.test(url)) {
      client.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      return;
    }
    hosts.push(url.replace(/:443$/, ""));
    const server = connect(target.port, target.host, () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      server.write(head);
      server.pipe(client).pipe(server);
    });
    for (const [one, other] of [
      [server, client],
      [client, server],
    ] as const) {
      one.once("error", () => other.destroy());
      one.once("close", () => other.destroy());
    }
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    hosts,
    async stop() {
      const closed = once(proxy, "close");
      proxy.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
