// TLS on the one port, with real sockets: who gets which protocol, who is closed, and that no byte is lost on the way.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectPlain, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type ConnectionOptions, connect, TLSSocket } from "node:tls";
import { pino } from "pino";
import { startInterval } from "../../base/timers.ts";
import { type TlsFolder, writeTlsFolder } from "../../cli/tls/tls-folder.ts";
import { OnePortListener, type OnePortListenerOptions } from "../one-port-listener.ts";
import { ServerTls } from "./server-tls.ts";
import type { TlsOptions } from "./tls-options.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const REQUEST = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

interface Seen {
  protocol: "http1" | "http2";
  socket: Socket;
  head: string;
}

interface Port {
  /** A TLS client that has done its handshake. */
  secure(options?: ConnectionOptions): Promise<TLSSocket>;
  /** A TCP client. */
  plain(): Promise<Socket>;
  /** What the next connection was taken for. */
  next(): Promise<Seen>;
  lines: string[];
  listener: OnePortListener;
  port: number;
}

let folder: string;
let made: TlsFolder;
let ca: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "belay-tls-port-"));
  made = await writeTlsFolder({ folder, names: ["localhost", "127.0.0.1"] });
  ca = readFileSync(made.caFile, "utf8");
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function withPort(
  options: Partial<OnePortListenerOptions> & { tlsOptions?: Partial<TlsOptions> },
  body: (port: Port) => Promise<void>,
): Promise<void> {
  const { tlsOptions, ...rest } = options;
  const lines: string[] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => void lines.push(line) });
  const tls = new ServerTls({ certFile: made.certFile, keyFile: made.keyFile, ...tlsOptions }, logger);
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
    tls,
    logger,
    onHttp1: note("http1"),
    onHttp2: note("http2"),
    ...rest,
  });
  const { port } = await listener.listen();
  const clients: Socket[] = [];
  const keep = <Client extends Socket>(client: Client): Client => {
    client.on("error", () => {});
    clients.push(client);
    return client;
  };
  try {
    await body({
      async secure(more = {}) {
        const client = keep(connect({ port, host: "127.0.0.1", servername: "localhost", ca, ...more }));
        await once(client, "secureConnect");
        return client;
      },
      async plain() {
        const client = keep(connectPlain({ port, host: "127.0.0.1", noDelay: true }));
        await once(client, "connect");
        return client;
      },
      async next() {
        while (seen.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        return seen.shift()!;
      },
      lines,
      listener,
      port,
    });
  } finally {
    for (const client of clients) client.destroy();
    tls.close();
    const stopped = listener.stop();
    listener.destroyConnections();
    await stopped;
  }
}

type Alpn = readonly string[] | undefined;
type Offer = readonly [
  offered: Alpn,
  preference: "http/1.1" | "h2" | undefined,
  agreed: string | false,
  sent: string,
  protocol: Seen["protocol"],
];

const offers: readonly Offer[] = [
  [["h2"], undefined, "h2", PREFACE, "http2"],
  [["http/1.1"], undefined, "http/1.1", REQUEST, "http1"],
  [["h2", "http/1.1"], undefined, "http/1.1", REQUEST, "http1"],
  [["http/1.1", "h2"], undefined, "http/1.1", REQUEST, "http1"],
  [["h2", "http/1.1"], "h2", "h2", PREFACE, "http2"],
  [["http/1.1", "h2"], "h2", "h2", PREFACE, "http2"],
  [["http/1.1"], "h2", "http/1.1", REQUEST, "http1"],
  // C-core's own name comes before h2.
  [["grpc-exp", "h2"], undefined, "h2", PREFACE, "http2"],
  // Without ALPN the decrypted bytes tell, as in cleartext.
  [undefined, undefined, false, REQUEST, "http1"],
  [undefined, undefined, false, PREFACE, "http2"],
  [undefined, "h2", false, REQUEST, "http1"],
  [undefined, undefined, false, "PUT / HTTP/1.1\r\n\r\n", "http1"],
  // What was agreed counts: HTTP/1.1's parser, or node:http2, refuses what is not theirs.
  [["http/1.1"], undefined, "http/1.1", PREFACE, "http1"],
  [["h2"], undefined, "h2", REQUEST, "http2"],
  // A handshake within the handshake is no HTTP.
  [undefined, undefined, false, "\x16\x03\x01", "http1"],
];

for (const [offered, preference, agreed, sent, protocol] of offers) {
  const who = `a TLS client that offers ${offered?.join(" and ") ?? "no ALPN"} and begins with ${JSON.stringify(sent.slice(0, 5))}`;
  test(`${who} gets ${protocol}${preference ? `, where ${preference} is preferred` : ""}`, async () => {
    await withPort({ alpnPreference: preference }, async ({ secure, next }) => {
      const client = await secure(offered ? { ALPNProtocols: [...offered] } : {});
      assert.equal(client.alpnProtocol, agreed);
      client.write(sent);
      const seen = await next();
      assert.deepEqual([seen.protocol, seen.head], [protocol, sent]);
      assert.ok(seen.socket instanceof TLSSocket && seen.socket.encrypted);
      seen.socket.write("pong");
      assert.equal(String((await once(client, "data"))[0]), "pong");
    });
  });
}

test("the preference of the server holds for a port that has none", async () => {
  await withPort({ tlsOptions: { alpnPreference: "h2" } }, async ({ secure }) => {
    assert.equal((await secure({ ALPNProtocols: ["http/1.1", "h2"] })).alpnProtocol, "h2");
  });
});

test("a client that offers only protocols that are not here ends its handshake with an alert", async () => {
  await withPort({}, async ({ secure, lines }) => {
    await assert.rejects(secure({ ALPNProtocols: ["spdy/3"] }), /no.application.protocol/i);
    assert.match(lines.join(""), /the TLS handshake failed: .*application protocol/i);
  });
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`${version} is spoken`, async () => {
    await withPort({}, async ({ secure }) => {
      const client = await secure({ minVersion: version, maxVersion: version });
      assert.equal(client.getProtocol(), version);
    });
  });
}

test("TLS 1.1 is refused", async () => {
  await withPort({}, async ({ secure, lines }) => {
    // OpenSSL's own client speaks it at security level 0 only.
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    await assert.rejects(secure(old), /protocol version/i);
    assert.match(lines.join(""), /the TLS handshake failed: .*protocol/i);
  });
});

test("a client that does not know the CA refuses the certificate", async () => {
  await withPort({}, async ({ port }) => {
    const client = connect({ port, host: "127.0.0.1", servername: "localhost" });
    await assert.rejects(once(client, "secureConnect"), { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
  });
});

/** The first flight of a real client. */
async function clientHello(): Promise<Buffer> {
  const { createServer } = await import("node:net");
  const catcher = createServer();
  catcher.listen(0, "127.0.0.1");
  await once(catcher, "listening");
  const { port } = catcher.address() as { port: number };
  const client = connect({ port, host: "127.0.0.1", servername: "localhost", ALPNProtocols: ["h2"] });
  client.on("error", () => {});
  const [socket] = (await once(catcher, "connection")) as [Socket];
  const [hello] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  catcher.close();
  return hello;
}

test("a ClientHello that comes byte by byte is understood", async () => {
  const hello = await clientHello();
  await withPort({}, async ({ plain }) => {
    const client = await plain();
    for (const byte of hello) {
      await new Promise<void>((resolve) => client.write(Buffer.of(byte), () => setImmediate(resolve)));
    }
    const [answer] = (await once(client, "data")) as [Buffer];
    // A handshake record with a ServerHello.
    assert.deepEqual([answer[0], answer[5]], [0x16, 0x02]);
  });
});

const stallers: readonly [who: string, begin: (port: Port) => Promise<Socket>][] = [
  ["says nothing", ({ plain }) => plain()],
  ["sends half a ClientHello", async ({ plain }) => sendHello(await plain(), 0.5)],
  ["sends a ClientHello and nothing more", async ({ plain }) => sendHello(await plain(), 1)],
  ["does its handshake and says nothing", ({ secure }) => secure()],
  ["agrees on h2 and says nothing", ({ secure }) => secure({ ALPNProtocols: ["h2"] })],
  ["agrees on http/1.1 and says nothing", ({ secure }) => secure({ ALPNProtocols: ["http/1.1"] })],
  [
    "stops within the preface",
    async ({ secure }) => {
      const client = await secure();
      client.write("PRI *");
      return client;
    },
  ],
];

async function sendHello(client: Socket, share: number): Promise<Socket> {
  const hello = await clientHello();
  client.write(hello.subarray(0, hello.length * share));
  return client;
}

for (const [who, begin] of stallers) {
  test(`a client that ${who} is closed after the peek timeout`, async () => {
    await withPort({ peekTimeoutMs: 150 }, async (port) => {
      const client = await begin(port);
      client.resume();
      await once(client, "close");
    });
  });
}

test("a handshake that trickles does not prolong the peek timeout", async () => {
  const hello = await clientHello();
  await withPort({ peekTimeoutMs: 250 }, async ({ plain }) => {
    const client = await plain();
    client.resume();
    // A byte that is on its way when the server closes is answered with a reset.
    client.on("error", () => {});
    const closed = new Promise((resolve) => client.once("close", resolve));
    let sent = 0;
    const trickle = startInterval(25, () => client.write(hello.subarray(sent, ++sent)));
    await closed;
    trickle.cancel();
    assert.ok(sent > 1 && sent < 100, `${sent} bytes`);
  });
});

test("garbage after a handshake's first byte is closed, and logged", async () => {
  await withPort({}, async ({ plain, lines }) => {
    const client = await plain();
    client.resume();
    client.write(Buffer.from("16030100050000000000", "hex"));
    await once(client, "close");
    assert.match(lines.join(""), /the TLS handshake failed/);
  });
});

test("a client that goes away within its handshake leaves nothing behind", async () => {
  const hello = await clientHello();
  await withPort({}, async ({ plain, listener, secure, next }) => {
    for (const share of [0.5, 1]) {
      const client = await plain();
      client.write(hello.subarray(0, hello.length * share));
      client.resetAndDestroy();
    }
    const client = await secure();
    client.write(REQUEST);
    (await next()).socket.destroy();
    // Resolves only when every connection is gone.
    await listener.stop();
  });
});

for (const end of ["end", "destroy"] as const) {
  test(`a client's ${end} reaches the one that has the decrypted socket`, async () => {
    await withPort({}, async ({ secure, next }) => {
      const client = await secure();
      client.write(REQUEST);
      const { socket } = await next();
      socket.resume();
      client[end]();
      await once(socket, "close");
    });
  });
}

test("what has the decrypted socket closes the connection with it, and the port cuts both", async () => {
  await withPort({}, async ({ secure, next, listener }) => {
    const clients = [await secure(), await secure()];
    const sockets: Socket[] = [];
    for (const client of clients) {
      client.resume();
      client.write(REQUEST);
      sockets.push((await next()).socket);
    }
    const closed = clients.map((client) => once(client, "close"));
    sockets[0]!.destroy();
    await closed[0];
    const cut = once(sockets[1]!, "close");
    listener.destroyConnections();
    await Promise.all([closed[1], cut]);
  });
});

test("a session that is resumed skips the certificate and gets its protocol all the same", async () => {
  await withPort({}, async ({ secure, next }) => {
    const first = await secure({ ALPNProtocols: ["h2"] });
    const ticket = once(first, "session") as Promise<[Buffer]>;
    first.write(PREFACE);
    (await next()).socket.write("hello");
    const [session] = await ticket;
    const second = await secure({ ALPNProtocols: ["h2"], session });
    assert.equal(second.isSessionReused(), true);
    second.write(PREFACE);
    assert.equal((await next()).protocol, "http2");
  });
});

async function answerTo(client: Socket): Promise<string> {
  let text = "";
  client.setEncoding("latin1");
  client.on("data", (chunk: string) => {
    text += chunk;
  });
  await once(client, "close");
  return text;
}

test("cleartext is taken beside TLS on a loopback address, unless the option says no", async () => {
  await withPort({}, async ({ plain, next }) => {
    (await plain()).write(REQUEST);
    (await plain()).write(PREFACE);
    assert.deepEqual([(await next()).protocol, (await next()).protocol].sort(), ["http1", "http2"]);
  });
});

const refusing: readonly [what: string, options: Parameters<typeof withPort>[0]][] = [
  ["by the port", { cleartext: false }],
  ["by the server", { tlsOptions: { cleartext: false } }],
  ["on an address that others reach", { host: "0.0.0.0" }],
];

for (const [what, options] of refusing) {
  test(`cleartext refused ${what}: HTTP/1.1 is told to use TLS, HTTP/2 is closed, TLS is served`, async () => {
    await withPort(options, async ({ plain, secure, next }) => {
      const served = next();
      const http1 = await plain();
      // A body that is never read must not cost the client its answer.
      http1.write(`POST / HTTP/1.1\r\ncontent-length: 100000\r\n\r\n${"x".repeat(100_000)}`);
      const answer = await Promise.race([
        answerTo(http1),
        served.then(({ protocol }) => `taken as ${protocol}`),
      ]);
      assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
      assert.match(answer, /\r\n\r\nthis port takes TLS only: use https:\/\/\n$/);
      const http2 = await plain();
      http2.write(PREFACE);
      assert.equal(await answerTo(http2), "");
      const client = await secure();
      client.write(REQUEST);
      assert.equal((await served).protocol, "http1");
    });
  });
}

test("cleartext may be taken on an address that others reach", async () => {
  await withPort({ host: "0.0.0.0", cleartext: true }, async ({ plain, next }) => {
    (await plain()).write(REQUEST);
    assert.equal((await next()).protocol, "http1");
  });
});

test("a port whose certificate cannot be read does not listen", async () => {
  const options = { tlsOptions: { certFile: join(folder, "none.pem") } };
  await assert.rejects(
    withPort(options, async () => {}),
    { name: "CertificateError", message: /none\.pem cannot be read/ },
  );
});

test("a key that is no certificate's is told before the port listens", async () => {
  const options = { tlsOptions: { certFile: made.caFile } };
  await assert.rejects(
    withPort(options, async () => {}),
    { name: "CertificateError", message: /does not belong to/ },
  );
});
