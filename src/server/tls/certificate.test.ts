import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type TlsFolder, writeTlsFolder } from "../../cli/tls/tls-folder.ts";
import { readCertificate } from "./certificate.ts";

let folder: string;
let made: TlsFolder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "belay-certificate-"));
  made = await writeTlsFolder({ folder, names: ["localhost", "127.0.0.1"] });
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("a certificate with its key is read, with its names and its end", () => {
  const { cert, key, names, expiresMs } = readCertificate(made);
  assert.deepEqual([cert, key], [readFileSync(made.certFile), readFileSync(made.keyFile)]);
  assert.equal(names, "DNS:localhost, IP Address:127.0.0.1");
  assert.equal(expiresMs, made.certExpires.getTime());
});

test("a certificate may bring its chain", () => {
  const certFile = join(folder, "chain.pem");
  writeFileSync(certFile, Buffer.concat([readFileSync(made.certFile), readFileSync(made.caFile)]));
  assert.equal(readCertificate({ ...made, certFile }).names, "DNS:localhost, IP Address:127.0.0.1");
});

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const wrong: readonly [what: string, files: () => Partial<TlsFolder>, message: RegExp][] = [
  [
    "no certificate file",
    () => ({ certFile: join(folder, "none.pem") }),
    /^certificate .*none\.pem cannot be read: ENOENT/,
  ],
  ["no key file", () => ({ keyFile: join(folder, "none.pem") }), /^key .*none\.pem cannot be read: ENOENT/],
  ["a folder", () => ({ certFile: folder }), /cannot be read: EISDIR/],
  ["text for a certificate", () => ({ certFile: write("a.pem", "text") }), /a\.pem is no PEM certificate: /],
  ["a key for a certificate", () => ({ certFile: made.keyFile }), /server-key\.pem is no PEM certificate: /],
  [
    "a certificate for a key",
    () => ({ keyFile: made.certFile }),
    /is no PEM private key without a passphrase: /,
  ],
  [
    "a key with a passphrase",
    () => ({ keyFile: write("b.pem", lockedKey()) }),
    /is no PEM private key without a passphrase: /,
  ],
  [
    "another's key",
    () => ({ keyFile: join(folder, "ca-key.pem") }),
    /ca-key\.pem does not belong to certificate /,
  ],
  [
    "a chain that is broken off",
    () => ({
      certFile: write("c.pem", `${readFileSync(made.certFile, "utf8")}-----BEGIN CERTIFICATE-----\nMIIB\n`),
    }),
    /c\.pem cannot be used: /,
  ],
];

function lockedKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return String(
    privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" }),
  );
}

for (const [what, files, message] of wrong) {
  test(`${what} is a CertificateError that names the file`, () => {
    assert.throws(() => readCertificate({ ...made, ...files() }), { name: "CertificateError", message });
  });
}
