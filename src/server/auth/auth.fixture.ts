// Real keys, tokens, files and a key server for the tests of this folder, and a clock that stands still.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from "jose";
import { pino } from "pino";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { type AuthConfig, authDefaults, type IssuerConfig } from "./auth-config.ts";

/** The instant of the tests, in whole seconds. */
export const NOW_SECONDS = 1_800_000_000;

/** A clock that is set by hand. */
export interface SettableClock extends Clock {
  seconds: number;
}

export function settableClock(): SettableClock {
  return {
    seconds: NOW_SECONDS,
    now() {
      return this.seconds * 1_000_000;
    },
  };
}

/** A logger that keeps its lines. */
export function keptLog(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const logger = pino({ level: "trace", base: null }, { write: (line: string) => void lines.push(line) });
  return { logger, lines };
}

export interface TestKey {
  alg: string;
  kid: string;
  privateKey: CryptoKey;
  jwk: JWK;
  pem: string;
}

export async function makeKey(alg: string, kid: string): Promise<TestKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    alg,
    kid,
    privateKey,
    jwk: { ...(await exportJWK(publicKey)), kid },
    pem: await exportSPKI(publicKey),
  };
}

/** Claims of any kind; an undefined one is left out. */
export type TestClaims = Readonly<Record<string, unknown>>;

/** Signs claims; `header` adds to alg and kid, or takes them away. */
export async function sign(
  key: TestKey,
  claims: TestClaims,
  header: Record<string, unknown> = {},
): Promise<string> {
  return await new SignJWT({ ...claims })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "JWT", ...header })
    .sign(key.privateKey);
}

export function temporaryFolder(t: Pick<TestContext, "after">): string {
  const folder = mkdtempSync(join(tmpdir(), "belay-auth-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A file in a new folder. */
export function fileWith(t: Pick<TestContext, "after">, text: string): string {
  const path = join(temporaryFolder(t), "file");
  writeFileSync(path, text);
  return path;
}

/** A configuration with everything empty but what is given. */
export function authConfig(settings: Partial<AuthConfig>): AuthConfig {
  return { issuers: [], serviceAccounts: [], staticTokens: [], iam: null, development: false, ...settings };
}

export const ISSUER = "https://issuer.example.com/";
export const AUDIENCE = "belay";

/** An issuer with the defaults. */
export function issuerConfig(settings: Pick<IssuerConfig, "keys"> & Partial<IssuerConfig>): IssuerConfig {
  return {
    issuer: ISSUER,
    audiences: [AUDIENCE],
    algorithms: authDefaults.algorithms,
    principalClaim: authDefaults.principalClaim,
    tenant: authDefaults.tenant,
    grants: null,
    ...settings,
  };
}

/** The claims of a good token of that issuer. */
export function goodClaims(claims: TestClaims = {}): TestClaims {
  return {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: "ada",
    scope: "read write",
    iat: NOW_SECONDS - 10,
    exp: NOW_SECONDS + 600,
    ...claims,
  };
}

/** A key server whose answers are set by hand. */
export interface KeyServer {
  uri: string;
  hits: number;
  answer: { status: number; body: string; location?: string } | "silence";
}

/** Serves a set of keys over HTTP on loopback. */
export async function startKeyServer(t: Pick<TestContext, "after">, keys: JWK[]): Promise<KeyServer> {
  const server = createServer((_request, response) => {
    keyServer.hits++;
    const { answer } = keyServer;
    if (answer === "silence") return;
    const headers = {
      "content-type": "application/json",
      ...(answer.location && { location: answer.location }),
    };
    response.writeHead(answer.status, headers).end(answer.body);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const keyServer: KeyServer = {
    uri: `http://127.0.0.1:${port}/keys`,
    hits: 0,
    answer: { status: 200, body: JSON.stringify({ keys }) },
  };
  return keyServer;
}

/** What was refused: `REASON` or `REASON: problem`. */
export async function refusalOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const { problem } = error.parameters;
    return problem === undefined ? error.reason : `${error.reason}: ${problem}`;
  }
  return "taken";
}
