// Real sockets: what a client sends first decides who gets the connection.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { pino } from "pino";
import { startInterval } from "../base/timers.ts";
import { OnePortListener, type OnePortListenerOptions } from "./one-port-listener.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

interface Seen {
  protocol: "http1" | "http2";
  socket: Socket;
  head: string;
}

async function withListener(
  options: Partial<OnePortListenerOptions>,
  body: (open: () => Promise<Socket>, next: () => Promise<Seen>, listener: OnePortListener) => Promise<void>,
): Promise<void> {
  const seen: Seen[] = [];
  let wake: (() => void) | undefined;
  const note = (protocol: Seen["protocol"]) => (socket: Socket) => {
    const chunk: Buffer | null = socket.read();
    seen.push({ protocol, socket, head: chunk?.toString("latin1") ?? "" });
    wake?.();
  };
  const listener = new OnePortListener({
    host: "127.0.0.1",
    port: 0,
    connectionsMax: 100,
    peekTimeoutMs: 5000,
    onHttp1: note("http1"),
    onHttp2: note("http2"),
    ...options,
  });
  const { port } = await listener.listen();
  const clients: Socket[] = [];
  try {
    await body(
      async () => {
        const client = connect({ port, host: "127.0.0.1", noDelay: true });
        client.on("error", () => {});
        clients.push(client);
        await once(client, "connect");
        return client;
      },
      async () => {
        while (seen.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        return seen.shift()!;
      },
      listener,
    );
  } finally {
    for (const client of clients) client.destroy();
    const stopped = listener.stop();
    listener.destroyConnections();
    await stopped;
  }
}

const heads: readonly [string, Seen["protocol"]][] = [
  [PREFACE, "http2"],
  ["GET / HTTP/1.1\r\n\r\n", "http1"],
  ["POST / HTTP/1.1\r\n\r\n", "http1"],
  // Methods that begin like the preface.
  ["PUT / HTTP/1.1\r\n\r\n", "http1"],
  ["PROPFIND / HTTP/1.1\r\n\r\n", "http1"],
  ["PRI * HTTP/1.1\r\n\r\n", "http1"],
];

for (const [head, protocol] of heads) {
  test(`${JSON.stringify(head.slice(0, 16))} goes to ${protocol}, with every byte`, async () => {
    await withListener({}, async (open, next) => {
      (await open()).write(head);
      const seen = await next();
      assert.deepEqual([seen.protocol, seen.head], [protocol, head]);
    });
  });
}

test("a preface that comes byte by byte is recognised, and nothing of it is lost", async () => {
  await withListener({}, async (open, next) => {
    const client = await open();
    for (const byte of PREFACE) {
      await new Promise<void>((resolve) => client.write(byte, () => setImmediate(resolve)));
    }
    const seen = await next();
    assert.equal(seen.protocol, "http2");
    assert.ok(PREFACE.startsWith(seen.head) && seen.head.length >= "PRI * HTTP/2.0".length);
  });
});

test("a connection that ends before it shows its protocol is closed", async () => {
  await withListener({}, async (open) => {
    const client = await open();
    client.end("PRI");
    client.resume();
    await once(client, "close");
  });
});

test("a client that begins with TLS is closed where no certificate is configured, and the log says why", async () => {
  const lines: string[] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => void lines.push(line) });
  await withListener({ logger }, async (open) => {
    const client = await open();
    client.resume();
    client.write("\x16\x03\x01\x02\x00\x01");
    await once(client, "close");
  });
  assert.equal(lines.length, 1);
  assert.match(
    lines[0]!,
    /"a connection was closed: the client speaks TLS, and no certificate is configured"/,
  );
});

test("bytes that trickle do not prolong the peek", async () => {
  await withListener({ peekTimeoutMs: 200 }, async (open) => {
    const client = await open();
    client.resume();
    let sent = 0;
    // A byte each 40 ms: each one within the timeout, the preface as a whole far from it.
    const trickle = startInterval(40, () => client.write(PREFACE[sent++] ?? ""));
    await once(client, "close");
    trickle.cancel();
    assert.ok(sent > 1 && sent < "PRI * HTTP/2.0".length, `${sent} bytes`);
  });
});

test("a connection that stays silent, or stops in the preface, is closed after the peek timeout", async () => {
  await withListener({ peekTimeoutMs: 50 }, async (open) => {
    const [silent, partial] = [await open(), await open()];
    partial.write("PRI *");
    silent.resume();
    partial.resume();
    await Promise.all([once(silent, "close"), once(partial, "close")]);
  });
});

test("connections above the limit are closed at once", async () => {
  await withListener({ connectionsMax: 1 }, async (open, next) => {
    (await open()).write("GET / HTTP/1.1\r\n\r\n");
    await next();
    const second = await open();
    second.resume();
    await once(second, "close");
  });
});

test("stop takes no new connections and resolves when the last one is closed", async () => {
  await withListener({}, async (open, next, listener) => {
    const client = await open();
    client.write("GET / HTTP/1.1\r\n\r\n");
    const { socket } = await next();
    let stopped = false;
    const stopping = listener.stop().then(() => {
      stopped = true;
    });
    await assert.rejects(open());
    assert.equal(stopped, false);
    socket.destroy();
    await stopping;
  });
});

test("a taken port rejects with the system's error", async () => {
  await withListener({}, async (_open, _next, listener) => {
    const { port } = listener.address();
    const second = new OnePortListener({
      host: "127.0.0.1",
      port,
      connectionsMax: 1,
      peekTimeoutMs: 1000,
      onHttp1: () => {},
      onHttp2: () => {},
    });
    await assert.rejects(second.listen(), { code: "EADDRINUSE" });
    await second.stop();
  });
});
