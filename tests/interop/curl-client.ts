// curl as a user types it, with the URLs of the services' own pages: --connect-to leads their hosts to the server here.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Endpoint } from "./belay-server.ts";

const run = promisify(execFile);

export interface CurlAnswer {
  /** `HTTP/1.1` or `HTTP/2`. */
  version: string;
  status: number;
  /** By lower-case name. */
  headers: Record<string, string>;
  text: string;
}

export interface CurlOptions {
  /** PEM file of the CA, for https. */
  ca?: string;
}

/** Runs curl with the arguments and the URL. It offers HTTP/2 too over TLS, and gets 1.1. */
export type Curl = (url: string, ...args: string[]) => Promise<CurlAnswer>;

/** curl for a server. */
export function curlOf({ host, port }: Endpoint, { ca }: CurlOptions = {}): Curl {
  const own = [
    "-sS",
    "-i",
    "--http1.1",
    "--connect-to",
    `::${host}:${port}`,
    ...(ca ? ["--cacert", ca] : []),
  ];
  return async (url, ...args) => {
    const { stdout } = await run("curl", [...own, ...args, url]);
    const end = stdout.indexOf("\r\n\r\n");
    const [first = "", ...lines] = stdout.slice(0, end).split("\r\n");
    const [version = "", status] = first.split(" ");
    const headers = lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    });
    return {
      version,
      status: Number(status),
      headers: Object.fromEntries(headers),
      text: stdout.slice(end + 4),
    };
  };
}

export async function curlVersion(): Promise<string> {
  const { stdout } = await run("curl", ["--version"]);
  return stdout.split(" ", 2).join(" ");
}
