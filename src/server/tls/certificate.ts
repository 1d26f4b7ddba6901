// The server's certificate and key, read from their files and checked before any connection depends on them.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";

/** The two PEM files. */
export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

/** A certificate that fits its key. */
export interface Certificate {
  /** PEM, with the chain. */
  cert: Buffer;
  /** PEM. */
  key: Buffer;
  /** The end of its validity, in milliseconds since the epoch. */
  expiresMs: number;
  /** Its subject alternative names, as `DNS:localhost, IP Address:127.0.0.1`. */
  names: string;
}

/** The certificate cannot be used. The message names the file and says why. */
export class CertificateError extends Error {
  override name = "CertificateError";
}

/** Reads the files. Throws a CertificateError when they are no certificate with its key. */
export function readCertificate({ certFile, keyFile }: CertificateFiles): Certificate {
  const cert = readFile(certFile, "certificate");
  const key = readFile(keyFile, "key");
  const x509 = parse(() => new X509Certificate(cert), `certificate ${certFile} is no PEM certificate`);
  const privateKey: KeyObject = parse(
    () => createPrivateKey(key),
    `key ${keyFile} is no PEM private key without a passphrase`,
  );
  if (!x509.checkPrivateKey(privateKey)) {
    throw new CertificateError(`key ${keyFile} does not belong to certificate ${certFile}`);
  }
  // What OpenSSL would refuse only when the first client comes: a broken chain, a key that is too short.
  parse(() => createSecureContext({ cert, key }), `certificate ${certFile} cannot be used`);
  return { cert, key, expiresMs: x509.validToDate.getTime(), names: x509.subjectAltName ?? "" };
}

function readFile(path: string, what: string): Buffer {
  return parse(() => readFileSync(path), `${what} ${path} cannot be read`);
}

function parse<Value>(make: () => Value, problem: string): Value {
  try {
    return make();
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new CertificateError(`${problem}: ${detail}`, { cause: error });
  }
}
