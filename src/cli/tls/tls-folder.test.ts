// Certificates as files: what is made, kept, renewed and refused. Who would take them is asked of Node's own TLS.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect, createServer } from "node:tls";
import { localNames, readNames, yandexNames } from "./certificate-names.ts";
import { createCa, issueServerCertificate, type KeyPair } from "./local-ca.ts";
import { type TlsFolder, writeTlsFolder } from "./tls-folder.ts";

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "belay-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "tls");
}

const read = (path: string): string => readFileSync(path, "utf8");

function pairOf({ certFile, keyFile }: TlsFolder): KeyPair {
  return { cert: read(certFile), key: read(keyFile) };
}

/** Connects for a name; answers "trusted", or the name of what the client holds against the certificate. */
async function verdict(ca: string, pair: KeyPair, servername: string): Promise<string> {
  const server = createServer(pair, (socket) => socket.end());
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const isAddress = isIP(servername) !== 0;
  const client = connect({
    port,
    host: "127.0.0.1",
    ca,
    ...(isAddress
      ? { checkServerIdentity: (_, cert) => identityError(cert.raw, servername) }
      : { servername }),
  });
  try {
    await once(client, "secureConnect");
    return "trusted";
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // OpenSSL's reasons without a name in Node.
    return code === undefined || code === "UNSPECIFIED" ? message : code;
  } finally {
    client.destroy();
    server.close();
  }
}

function identityError(raw: Buffer, address: string): Error | undefined {
  if (new X509Certificate(raw).checkIP(address)) return undefined;
  return Object.assign(new Error("wrong address"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
}

const served: readonly [name: string, verdict: string][] = [
  ["localhost", "trusted"],
  ["127.0.0.1", "trusted"],
  ["::1", "trusted"],
  ["vault.example", "trusted"],
  // A wildcard stands for one label, and does not cover the bare name: both are there.
  ["api.cloud.yandex.net", "trusted"],
  ["operation.api.cloud.yandex.net", "trusted"],
  ["a.b.api.cloud.yandex.net", "ERR_TLS_CERT_ALTNAME_INVALID"],
  ["a.vault.example", "ERR_TLS_CERT_ALTNAME_INVALID"],
  ["127.0.0.2", "ERR_TLS_CERT_ALTNAME_INVALID"],
  ["bank.example", "ERR_TLS_CERT_ALTNAME_INVALID"],
];

test("a client that has the CA trusts the server by its names, and by no others", async (t) => {
  const names = [...localNames, "vault.example", ...yandexNames];
  const made = await writeTlsFolder({ folder: temporaryFolder(t), names });
  assert.deepEqual([made.caIsNew, made.names], [true, names]);
  for (const [name, expected] of served) {
    await t.test(`${name}: ${expected}`, async () => {
      assert.equal(await verdict(read(made.caFile), pairOf(made), name), expected);
    });
  }
  await t.test("a client that has another CA refuses it", async () => {
    const other = await createCa(readNames(localNames));
    assert.notEqual(await verdict(other.cert, pairOf(made), "localhost"), "trusted");
  });
});

test("a certificate for a name that the CA was not made for is worth nothing, even by the CA's own key", async () => {
  const ca = await createCa(readNames([...localNames, "vault.example"]));
  for (const name of ["bank.example", "evilvault.example", "example", "localhost.example"]) {
    const forged = await issueServerCertificate(ca, readNames([name]));
    assert.equal(await verdict(ca.cert, forged, name), "permitted subtree violation", name);
  }
  const below = await issueServerCertificate(ca, readNames(["a.vault.example"]));
  assert.equal(await verdict(ca.cert, below, "a.vault.example"), "trusted");
});

test("a CA for many names, whose constraints take lengths of two bytes, still limits them", async () => {
  const names = Array.from({ length: 300 }, (_, index) => `host-${index}.example`);
  const ca = await createCa(readNames(names));
  const pair = await issueServerCertificate(ca, readNames(names));
  assert.equal(await verdict(ca.cert, pair, "host-299.example"), "trusted");
  const forged = await issueServerCertificate(ca, readNames(["host-300.example"]));
  assert.equal(await verdict(ca.cert, forged, "host-300.example"), "permitted subtree violation");
});

test("a CA limits no addresses, which gRPC for Python and C++ could not bear", async (t) => {
  const folder = temporaryFolder(t);
  const { caFile } = await writeTlsFolder({ folder, names: localNames });
  const second = await writeTlsFolder({ folder, names: ["10.0.0.1"] });
  assert.equal(await verdict(read(caFile), pairOf(second), "10.0.0.1"), "trusted");
  // The two tags of an address with its mask within a subtree.
  const address = Buffer.from([0x87, 8, 127, 0, 0, 1]);
  assert.ok(!new X509Certificate(read(caFile)).raw.includes(address));
});

test("keys are readable by their owner only, and certificates end when browsers want them to", async (t) => {
  const made = await writeTlsFolder({ folder: temporaryFolder(t), names: localNames });
  const keys = [made.keyFile, made.caFile.replace("ca.pem", "ca-key.pem")];
  for (const path of keys) assert.equal(statSync(path).mode & 0o777, 0o600, path);
  const { validFromDate, validToDate } = new X509Certificate(read(made.certFile));
  const days = (validToDate.getTime() - validFromDate.getTime()) / 86_400_000;
  assert.ok(days > 398 && days < 398.1, String(days));
  assert.equal(Math.round((made.caExpires.getTime() - validFromDate.getTime()) / 86_400_000), 3650);
});

test("a second run keeps the CA and the names, and renews the certificate", async (t) => {
  const folder = temporaryFolder(t);
  const first = await writeTlsFolder({ folder, names: [...localNames, "vault.example"] });
  const before = { ca: read(first.caFile), server: read(first.certFile) };
  const second = await writeTlsFolder({ folder, names: ["a.vault.example"] });
  assert.equal(second.caIsNew, false);
  assert.equal(read(second.caFile), before.ca);
  assert.notEqual(read(second.certFile), before.server);
  assert.deepEqual(second.names, ["a.vault.example", ...localNames, "vault.example"]);
  assert.equal(await verdict(before.ca, pairOf(second), "a.vault.example"), "trusted");
});

test("a name that the CA may not vouch for is refused until a new CA is asked for", async (t) => {
  const folder = temporaryFolder(t);
  const first = await writeTlsFolder({ folder, names: localNames });
  const before = { ca: read(first.caFile), server: read(first.certFile) };
  await assert.rejects(
    writeTlsFolder({ folder, names: ["vault.example"] }),
    /may not vouch for vault\.example; --new-ca/,
  );
  assert.deepEqual({ ca: read(first.caFile), server: read(first.certFile) }, before);
  const second = await writeTlsFolder({ folder, names: ["vault.example"], newCa: true });
  assert.equal(second.caIsNew, true);
  assert.notEqual(read(second.caFile), before.ca);
  assert.deepEqual(second.names, ["vault.example"]);
});

const foreign: readonly [what: string, file: string, text: (made: TlsFolder) => string][] = [
  ["a CA of somebody else", "ca.pem", (made) => read(made.certFile)],
  ["a file that is no certificate", "ca.pem", () => "mine"],
  ["a key without a certificate", "ca-key.pem", (made) => read(made.keyFile)],
  ["a server certificate of somebody else", "server.pem", (made) => read(made.caFile)],
  ["a server key without a certificate", "server-key.pem", (made) => read(made.keyFile)],
];

for (const [what, file, text] of foreign) {
  test(`${what} is never replaced`, async (t) => {
    const made = await writeTlsFolder({ folder: temporaryFolder(t), names: localNames });
    const folder = temporaryFolder(t);
    mkdirSync(folder);
    writeFileSync(join(folder, file), text(made));
    for (const newCa of [false, true]) {
      await assert.rejects(writeTlsFolder({ folder, names: localNames, newCa }), {
        message: `${join(folder, file)} was not made by belay tls and stays as it is; --out takes another folder`,
      });
    }
    assert.equal(read(join(folder, file)), text(made));
  });
}

test("a CA without its key cannot sign, and says so; a new one may replace it", async (t) => {
  const folder = temporaryFolder(t);
  const { caFile } = await writeTlsFolder({ folder, names: localNames });
  rmSync(join(folder, "ca-key.pem"));
  await assert.rejects(
    writeTlsFolder({ folder, names: localNames }),
    /cannot sign: .*ca-key\.pem is not its key/,
  );
  const before = read(caFile);
  await writeTlsFolder({ folder, names: localNames, newCa: true });
  assert.notEqual(read(caFile), before);
});

test("a folder that cannot be made is one line", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(folder, "a file");
  await assert.rejects(
    writeTlsFolder({ folder, names: localNames }),
    /^CliError: the folder .* cannot be made: /,
  );
});
