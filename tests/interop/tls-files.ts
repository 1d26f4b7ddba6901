// A local CA and a server certificate, made by `belay tls`, for a server of its own.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { belayBin } from "./belay-server.ts";

const run = promisify(execFile);

export interface TlsFiles {
  folder: string;
  /** PEM file of the CA. */
  ca: string;
  /** For `tls` in belay.yaml. */
  certFile: string;
  keyFile: string;
  remove(): void;
}

const googleHosts = ["automl.googleapis.com", "dai.googleapis.com", "vault.googleapis.com"];

/** Makes them in a new folder. */
export async function makeCertificate(): Promise<TlsFiles> {
  const folder = mkdtempSync(join(tmpdir(), "belay-tls-"));
  const hosts = googleHosts.flatMap((host) => ["--host", host]);
  const args = [belayBin, "tls", "--yandex", ...hosts, "--out", folder, "--json"];
  const { stdout } = await run(process.execPath, args);
  const { caFile, certFile, keyFile } = JSON.parse(stdout) as Record<
    "caFile" | "certFile" | "keyFile",
    string
  >;
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  return { folder, ca: caFile, certFile, keyFile, remove };
}
