// Certificates for development: a CA of one's own, and server certificates by it (ECDSA P-256). Makes and reads PEM;
// where it is kept is tls-folder.ts's affair. Loaded by `belay tls` only: the two packages cost 60 ms.
import "reflect-metadata";
import { createPrivateKey, X509Certificate as NodeCertificate, webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { MICROS_PER_MS, wallClockInstant } from "../../base/clock.ts";
import { randomBase36 } from "../../base/random.ts";
import type { CertificateName } from "./certificate-names.ts";
import { encodeConstraints, NAME_CONSTRAINTS, permits } from "./name-constraints.ts";

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  cert: string;
  key: string;
}

const DAY_MS = 24 * 3_600_000;
const CA_DAYS = 3650;

/** Browsers and Apple's systems take no server certificate that is valid for longer. */
const SERVER_DAYS = 398;

/** Clocks that differ: a certificate is valid a little before it was made. */
const BACKDATE_MS = 3_600_000;

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

const CA_SUBJECT = "O=Belay, CN=Belay local CA";
const SERVER_SUBJECT = "O=Belay, CN=Belay server";

function nowMs(): number {
  return wallClockInstant() / MICROS_PER_MS;
}

/** Makes a CA that may vouch for these DNS names and those below them only, and for any address. */
export async function createCa(names: readonly CertificateName[]): Promise<KeyPair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const cert = await X509CertificateGenerator.createSelfSigned({
    // Two CAs with one name would be taken for each other by clients that trust both.
    name: `${CA_SUBJECT} ${randomBase36(6)}`,
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(nowMs() - BACKDATE_MS),
    notAfter: new Date(nowMs() + CA_DAYS * DAY_MS),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new Extension(NAME_CONSTRAINTS, true, encodeConstraints(names)),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pem(cert), key: await exportKey(keys.privateKey) };
}

/** Makes a server certificate for these names; it ends before its CA does. */
export async function issueServerCertificate(
  ca: KeyPair,
  names: readonly CertificateName[],
): Promise<KeyPair> {
  const caCert = new X509Certificate(ca.cert);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const cert = await X509CertificateGenerator.create({
    // No client reads a name from here any more; it must not look like one to those that do.
    subject: SERVER_SUBJECT,
    issuer: caCert.subject,
    publicKey: keys.publicKey,
    signingKey: await importKey(ca.key),
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(nowMs() - BACKDATE_MS),
    notAfter: new Date(Math.min(nowMs() + SERVER_DAYS * DAY_MS, caCert.notAfter.getTime())),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(names.map(({ kind, value }) => ({ type: kind, value }))),
      await AuthorityKeyIdentifierExtension.create(caCert.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pem(cert), key: await exportKey(keys.privateKey) };
}

/** True for a CA that `createCa` made. */
export function isLocalCa(cert: string): boolean {
  return subjectOf(cert).startsWith(CA_SUBJECT);
}

/** True for a server certificate that `issueServerCertificate` made, whichever its CA. */
export function isLocalServerCertificate(cert: string): boolean {
  return subjectOf(cert) === SERVER_SUBJECT;
}

/** True if certificate and key belong together. */
export function isPair({ cert, key }: KeyPair): boolean {
  try {
    return new NodeCertificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function subjectOf(cert: string): string {
  try {
    return new X509Certificate(cert).subject;
  } catch {
    return "";
  }
}

/** The names that a local CA may not vouch for. */
export function namesBeyond(ca: KeyPair, names: readonly CertificateName[]): readonly CertificateName[] {
  const extension = new X509Certificate(ca.cert).getExtension(NAME_CONSTRAINTS);
  if (!extension) return [];
  const constraints = Buffer.from(extension.value);
  return names.filter((name) => !permits(constraints, name));
}

/** The names that a certificate is for, as `readNames` takes them. */
export function namesOf(cert: string): readonly string[] {
  const names = new X509Certificate(cert).getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
  return names.map(({ value }) => value);
}

/** The end of a certificate's validity. */
export function expiryOf(cert: string): Date {
  return new X509Certificate(cert).notAfter;
}

/** True once a certificate's validity has ended. */
export function isExpired(cert: string): boolean {
  return expiryOf(cert).getTime() <= nowMs();
}

function pem(cert: X509Certificate): string {
  return `${cert.toString("pem")}\n`;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  return String(
    createPrivateKey({ key: bytes, format: "der", type: "pkcs8" }).export({ type: "pkcs8", format: "pem" }),
  );
}

async function importKey(text: string): Promise<webcrypto.CryptoKey> {
  const bytes = createPrivateKey(text).export({ type: "pkcs8", format: "der" });
  return await webcrypto.subtle.importKey("pkcs8", bytes, ALGORITHM, false, ["sign"]);
}
