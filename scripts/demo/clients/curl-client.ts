// curl as a client: it is given the URLs of the services' own pages, and --connect-to leads their hosts to the tour's
// server, where they tell the services apart.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { tourEnvironment } from "../tour-server.ts";
import type { Call, Client, FinalOperation } from "./client.ts";

const run = promisify(execFile);

export interface CurlTarget {
  /** The main port, on which hosts tell services apart. */
  port: number;
  ca: string;
  signal: AbortSignal;
}

/** How a system is used with curl. URLs are its pages' own. */
export interface CurlCalls {
  start: { url: string; body: object | { file: string } };
  /** The URL of an operation, by its name as Start answered it. */
  operationUrl(operation: string): string;
  /** GET, as the pages of Yandex have it, or POST. */
  cancelMethod: "GET" | "POST";
}

interface CurlAnswer {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/** A body that is longer than this is not shown. */
const SHOWN_MAX = 110;

const json = ["-H", "content-type: application/json"];

/** A client of one system. */
export function createCurlClient(target: CurlTarget, version: string, calls: CurlCalls): Client {
  const { start, operationUrl, cancelMethod } = calls;
  return {
    name: `${version} with the URLs of its pages (--connect-to leads them here)`,
    async start() {
      const [data, shown] = dataOf(start.body);
      const { body } = await curl(target, start.url, [...json, "-d", data]);
      const { name, id } = JSON.parse(body) as { name?: string; id?: string };
      const operation = name ?? id;
      if (operation === undefined) throw new Error(`curl ${start.url}: ${body}`);
      return { did: `curl ${start.url} -d ${shown}`, answer: operation, operation };
    },
    async cancel(operation): Promise<Call> {
      const url = `${operationUrl(operation)}:cancel`;
      const method = cancelMethod === "POST" ? ["-X", "POST"] : [];
      const { status, headers, body } = await curl(target, url, method);
      const verdict = headers.get("belay-cancel-verdict") ?? "none";
      return { did: ["curl", ...method, url].join(" "), answer: `${status} ${body}, verdict ${verdict}` };
    },
    async get(operation) {
      const { body } = await curl(target, operationUrl(operation), []);
      return JSON.parse(body) as FinalOperation;
    },
    close() {},
  };
}

/** For instance `curl 8.14.1`; null if there is none. */
export async function curlVersion(): Promise<string | null> {
  try {
    const { stdout } = await run("curl", ["--version"]);
    return stdout.split(" ", 2).join(" ");
  } catch {
    return null;
  }
}

async function curl(
  { port, ca, signal }: CurlTarget,
  url: string,
  args: readonly string[],
): Promise<CurlAnswer> {
  const here = ["--connect-to", `::127.0.0.1:${port}`, "--cacert", ca];
  const { stdout } = await run("curl", ["-sS", "-i", ...here, ...args, url], {
    signal,
    env: tourEnvironment(),
    maxBuffer: 4 * 1024 * 1024,
  });
  const end = stdout.indexOf("\r\n\r\n");
  const [first = "", ...lines] = stdout.slice(0, end).split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(" ")[1]), headers: new Map(headers), body: stdout.slice(end + 4) };
}

/** What -d takes, and how it is shown. */
function dataOf(body: CurlCalls["start"]["body"]): [data: string, shown: string] {
  if ("file" in body && typeof body.file === "string") {
    return [`@${body.file}`, `@${body.file.slice(body.file.lastIndexOf("/") + 1)}`];
  }
  const text = JSON.stringify(body);
  return [text, text.length <= SHOWN_MAX ? `'${text}'` : `'${text.slice(0, SHOWN_MAX)}...'`];
}
