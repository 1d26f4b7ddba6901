// The folder of `belay tls`: a CA that is made once, and a server certificate that is made anew each time. It never
// replaces a file that it did not make.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { CliError } from "../exit-codes.ts";
import { type CertificateName, readNames } from "./certificate-names.ts";
import {
  createCa,
  expiryOf,
  isExpired,
  isLocalCa,
  isLocalServerCertificate,
  isPair,
  issueServerCertificate,
  type KeyPair,
  namesBeyond,
  namesOf,
} from "./local-ca.ts";

export interface TlsFolderOptions {
  folder: string;
  /** DNS names, wildcards and addresses. */
  names: readonly string[];
  /** Replaces a CA that Belay made. Clients must then trust the new one. */
  newCa?: boolean;
}

/** What the folder holds now. Paths are absolute. */
export interface TlsFolder {
  caFile: string;
  caExpires: Date;
  /** True if it was made just now. */
  caIsNew: boolean;
  certFile: string;
  keyFile: string;
  certExpires: Date;
  names: readonly string[];
}

interface PairPaths {
  cert: string;
  key: string;
}

const PRIVATE = 0o600;
const PUBLIC = 0o644;

/**
 * Makes the CA if there is none, and a server certificate for the names and those of the one before. Throws a
 * CliError for wrong names, for files that were not made here, and for a CA that is no use: expired, without its key,
 * or not for these names.
 */
export async function writeTlsFolder(options: TlsFolderOptions): Promise<TlsFolder> {
  const folder = resolve(options.folder);
  const caPaths: PairPaths = { cert: join(folder, "ca.pem"), key: join(folder, "ca-key.pem") };
  const serverPaths: PairPaths = { cert: join(folder, "server.pem"), key: join(folder, "server-key.pem") };
  refuseForeign(caPaths, isLocalCa);
  refuseForeign(serverPaths, isLocalServerCertificate);
  const keepsCa = !options.newCa && existsSync(caPaths.cert);
  // What the last certificate was for, clients still ask for.
  const before =
    keepsCa && existsSync(serverPaths.cert) ? namesOf(readFileSync(serverPaths.cert, "utf8")) : [];
  const names = readNames([...options.names, ...before]);
  const kept = keepsCa ? readCa(caPaths, names) : undefined;
  const ca = kept ?? (await createCa(names));
  const server = await issueServerCertificate(ca, names);
  makeFolder(folder);
  if (!kept) writePair(caPaths, ca);
  writePair(serverPaths, server);
  return {
    caFile: caPaths.cert,
    caExpires: expiryOf(ca.cert),
    caIsNew: !kept,
    certFile: serverPaths.cert,
    keyFile: serverPaths.key,
    certExpires: expiryOf(server.cert),
    names: names.map(({ value }) => value),
  };
}

/** Throws if a file of the pair is there and the certificate is not one of Belay's. */
function refuseForeign({ cert, key }: PairPaths, isOurs: (cert: string) => boolean): void {
  const found = [cert, key].find((path) => existsSync(path));
  if (found === undefined || (existsSync(cert) && isOurs(readFileSync(cert, "utf8")))) return;
  throw new CliError(`${found} was not made by belay tls and stays as it is; --out takes another folder`);
}

/** The CA of an earlier run, fit for these names. */
function readCa({ cert, key }: PairPaths, names: readonly CertificateName[]): KeyPair {
  const ca = { cert: readFileSync(cert, "utf8"), key: existsSync(key) ? readFileSync(key, "utf8") : "" };
  const beyond = namesBeyond(ca, names).map(({ value }) => value);
  const problem = !isPair(ca)
    ? `the CA ${cert} cannot sign: ${key} is not its key`
    : isExpired(ca.cert)
      ? `the CA ${cert} has expired`
      : beyond.length > 0
        ? `the CA ${cert} was made for other names and may not vouch for ${beyond.join(", ")}`
        : undefined;
  if (problem) throw new CliError(`${problem}; --new-ca makes a new one, which clients must then trust`);
  return ca;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new CliError(
      `the folder ${folder} cannot be made: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function writePair(paths: PairPaths, { cert, key }: KeyPair): void {
  writeWhole(paths.key, key, PRIVATE);
  writeWhole(paths.cert, cert, PUBLIC);
}

/** A server that reads at this moment gets the old file or the new one. */
function writeWhole(path: string, text: string, mode: number): void {
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  writeFileSync(draft, text, { mode, flag: "wx" });
  renameSync(draft, path);
}
