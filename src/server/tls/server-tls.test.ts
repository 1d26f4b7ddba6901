// A certificate that changes under a running server: new connections get the new one, and a broken one is not taken.
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect } from "node:tls";
import { pino } from "pino";
import { startInterval } from "../../base/timers.ts";
import { type TlsFolder, writeTlsFolder } from "../../cli/tls/tls-folder.ts";
import { OnePortListener } from "../one-port-listener.ts";
import { ServerTls } from "./server-tls.ts";

const PERIOD_MS = 10;

interface World {
  folder: string;
  made: TlsFolder;
  port: number;
  lines: string[];
  serial(): Promise<string>;
  /** Resolves with the log line once it is there. */
  logged(pattern: RegExp): Promise<string>;
  tls: ServerTls;
}

async function startPort(t: TestContext, names = ["localhost"]): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "belay-reload-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const made = await writeTlsFolder({ folder, names });
  return await listen(t, folder, made);
}

async function openPort(t: TestContext, tls: ServerTls): Promise<number> {
  const listener = new OnePortListener({
    host: "127.0.0.1",
    port: 0,
    connectionsMax: 100,
    peekTimeoutMs: 5000,
    tls,
    onHttp1: (socket) => void socket.on("data", (chunk) => socket.write(chunk)),
    onHttp2: (socket) => socket.destroy(),
  });
  const { port } = await listener.listen();
  t.after(async () => {
    tls.close();
    listener.destroyConnections();
    await listener.stop();
  });
  return port;
}

/** The serial number of the certificate that a new client gets. */
async function serialAt(port: number): Promise<string> {
  const client = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(client, "secureConnect");
  const { serialNumber } = client.getPeerCertificate();
  client.destroy();
  return serialNumber;
}

async function listen(t: TestContext, folder: string, made: TlsFolder): Promise<World> {
  const lines: string[] = [];
  let wake: (() => void) | undefined;
  const write = (line: string): void => {
    lines.push(line);
    wake?.();
  };
  const logger = pino({ level: "info" }, { write });
  const tls = new ServerTls({ certFile: made.certFile, keyFile: made.keyFile }, logger, PERIOD_MS);
  const port = await openPort(t, tls);
  return {
    folder,
    made,
    port,
    lines,
    tls,
    serial: () => serialAt(port),
    async logged(pattern) {
      for (;;) {
        const line = lines.find((candidate) => pattern.test(candidate));
        if (line !== undefined) return line;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

test("a renewed certificate is used by new connections, and open ones go on", async (t) => {
  const { folder, port, made, serial, logged } = await startPort(t);
  const before = await serial();
  const open = connect({ port, host: "127.0.0.1", ca: readFileSync(made.caFile), servername: "localhost" });
  await once(open, "secureConnect");
  await writeTlsFolder({ folder, names: ["localhost"] });
  assert.match(await logged(/the certificate was renewed/), /"names":"DNS:localhost"/);
  assert.notEqual(await serial(), before);
  open.write("still here");
  assert.equal(String((await once(open, "data"))[0]), "still here");
  open.destroy();
});

test("every port of a server gets the renewed certificate", async (t) => {
  const { folder, tls, logged, serial } = await startPort(t);
  const secondPort = await openPort(t, tls);
  const before = await serial();
  assert.equal(await serialAt(secondPort), before);
  await writeTlsFolder({ folder, names: ["localhost"] });
  await logged(/the certificate was renewed/);
  const after = await serial();
  assert.notEqual(after, before);
  assert.equal(await serialAt(secondPort), after);
});

const broken: readonly [what: string, spoil: (made: TlsFolder) => void, problem: RegExp][] = [
  ["text", ({ certFile }) => writeFileSync(certFile, "not a certificate"), /is no PEM certificate/],
  [
    "half of it",
    ({ certFile }) => writeFileSync(certFile, readFileSync(certFile).subarray(0, 300)),
    /no PEM certificate/,
  ],
  ["nothing", ({ certFile }) => rmSync(certFile), /cannot be read/],
  ["another's", ({ certFile, caFile }) => copyFileSync(caFile, certFile), /does not belong to certificate/],
];

for (const [what, spoil, problem] of broken) {
  test(`where the new certificate is ${what}, the old one stays, one line is logged, and the next good one is used`, async (t) => {
    const { folder, made, serial, lines, logged } = await startPort(t);
    const before = await serial();
    const next = await writeTlsFolder({ folder: join(folder, "next"), names: ["localhost"] });
    spoil(made);
    assert.match(await logged(/the new certificate is not used, the old one stays/), problem);
    assert.equal(await serial(), before);
    // Several looks later it has not been said again.
    let looks = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = startInterval(PERIOD_MS, () => ++looks === 5 && resolve());
    await promise;
    timer.cancel();
    assert.equal(lines.length, 1);
    copyFileSync(next.keyFile, made.keyFile);
    copyFileSync(next.certFile, made.certFile);
    await logged(/the certificate was renewed/);
    assert.notEqual(await serial(), before);
  });
}

test("a link that is turned to another folder is followed, as certificate tools do it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "belay-reload-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["one", "two"])
    await writeTlsFolder({ folder: join(folder, name), names: ["localhost"] });
  const live = join(folder, "live");
  symlinkSync(join(folder, "one"), live);
  const made = { certFile: join(live, "server.pem"), keyFile: join(live, "server-key.pem") } as TlsFolder;
  const { serial, logged } = await listen(t, folder, made);
  const before = await serial();
  symlinkSync(join(folder, "two"), `${live}.new`);
  renameSync(`${live}.new`, live);
  await logged(/the certificate was renewed/);
  assert.notEqual(await serial(), before);
});

test("after close the files are followed no longer, and closing twice is fine", async (t) => {
  const { folder, serial, tls, lines } = await startPort(t);
  const before = await serial();
  tls.close();
  tls.close();
  await writeTlsFolder({ folder, names: ["localhost"] });
  for (let look = 0; look < 5; look++) assert.equal(await serial(), before);
  assert.deepEqual(lines, []);
});

test("a certificate that ends soon, or has ended, is told at the start", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "belay-reload-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const made = await writeTlsFolder({ folder, names: ["localhost"] });
  for (const [leftMs, pattern] of [
    [-1000, /the certificate .*server\.pem ended at 20/],
    [13 * 24 * 3_600_000, /the certificate .*server\.pem ends at 20/],
    [15 * 24 * 3_600_000, null],
  ] as const) {
    const lines: string[] = [];
    const logger = pino({ level: "warn" }, { write: (line: string) => void lines.push(line) });
    const now = made.certExpires.getTime() - leftMs;
    t.mock.timers.enable({ apis: ["Date"], now });
    const tls = new ServerTls({ certFile: made.certFile, keyFile: made.keyFile }, logger);
    await tls.acceptor();
    tls.close();
    t.mock.timers.reset();
    if (pattern === null) assert.deepEqual(lines, []);
    else assert.match(lines.join(""), pattern);
  }
});
