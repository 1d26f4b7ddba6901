// The chain of receipts at the terminal: written to a file as JSON lines, and checked, from a file or from the server. What
// is checked is src/engine/receipts/verify-chain.ts's.
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { BelayClient, ReceiptChainPage } from "../client/client.ts";
import { chainFile, wholeChain } from "../engine/receipts/chain-export.ts";
import { type Verification, type VerifyOptions, verifyChain } from "../engine/receipts/verify-chain.ts";
import { CliError, type ExitCode, exitCodes } from "./exit-codes.ts";
import { type Cell, printFields, printJson, printNote } from "./output.ts";

const PAGE = 1000;

/** Writes the whole chain of the caller's tenant to a file that does not exist yet; `-` for standard output. */
export async function exportChainTo(client: BelayClient, file: string, json: boolean): Promise<void> {
  if (file !== "-" && existsSync(file)) throw new CliError(`${file} exists already`);
  let lines = 0;
  const text = async function* (): AsyncGenerator<string> {
    for await (const line of serverChain(client)) {
      lines++;
      yield `${line}\n`;
    }
  };
  if (file === "-") {
    await pipeline(Readable.from(text()), process.stdout, { end: false });
    return;
  }
  await pipeline(Readable.from(text()), createWriteStream(file, { flags: "wx", mode: 0o600 }));
  if (json) printJson({ file, lines });
  else printNote(`${file}: ${lines} lines`);
}

/** Checks a file, prints what was found, and answers the exit code. */
export async function verifyChainFile(
  file: string,
  options: VerifyOptions,
  json: boolean,
): Promise<ExitCode> {
  if (!existsSync(file)) throw new CliError(`there is no file ${file}`);
  const lines = createInterface({
    input: createReadStream(file, "utf8"),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  return tell(await verifyChain(lines, options), json);
}

/** Checks the chain that the server answers now. */
export async function verifyServerChain(
  client: BelayClient,
  options: VerifyOptions,
  json: boolean,
): Promise<ExitCode> {
  return tell(await verifyChain(serverChain(client), options), json);
}

/** The lines of the server's whole chain. */
async function* serverChain(client: BelayClient): AsyncGenerator<string> {
  const pages = client.exportReceipts({ pageSize: PAGE });
  const next = async (): Promise<ReceiptChainPage | undefined> => (await pages.next()).value ?? undefined;
  // The first page is read before the header, which names whose chain it is.
  let page = await next();
  yield* chainFile({ ...placeOf(page), ...wholeChain }, async () => {
    const answer = pageOf(page);
    if (answer.nextAfter !== 0) page = await next();
    return answer;
  });
}

/** Whose chain it is: each entry says so. An empty chain does not tell. */
function placeOf(page: ReceiptChainPage | undefined): { service: string; tenant: string } {
  const [first] = page?.entries ?? [];
  const { service, tenant } = (first ? JSON.parse(first.content) : {}) as {
    service?: string;
    tenant?: string;
  };
  return { service: service ?? "", tenant: tenant ?? "" };
}

type ChainPage = Awaited<ReturnType<Parameters<typeof chainFile>[1]>>;

/** A page of the wire as the engine has it. */
function pageOf(page: ReceiptChainPage | undefined): ChainPage {
  if (!page) return { entries: [], checkpoints: [], publicKeys: {}, nextAfter: 0 };
  return {
    entries: page.entries.map(({ sequence, name, content, hash }) => ({
      ...{ sequence: Number(sequence), name, content, hash },
    })),
    checkpoints: page.checkpoints.map(({ sequence, hash, time, keyId, signature }) => ({
      ...{ sequence: Number(sequence), hash, keyId, signature },
      time: time ? Number(time.seconds) * 1_000_000 + Math.floor(time.nanos / 1000) : 0,
    })),
    publicKeys: page.publicKeys,
    nextAfter: Number(page.nextAfter),
  };
}

function tell(found: Verification, json: boolean): ExitCode {
  if (json) printJson({ ...found, findings: found.findings.map((each) => ({ ...each })), ...plain(found) });
  else printFields(fieldsOf(found));
  return found.isIntact ? exitCodes.OK : exitCodes.CHAIN_BROKEN;
}

function plain(found: Verification): {
  head: { sequence: number; hash: string };
  signed: { sequence: number; hash: string };
  keyIds: string[];
} {
  return { head: { ...found.head }, signed: { ...found.signed }, keyIds: [...found.keyIds] };
}

function fieldsOf(found: Verification): [string, Cell | string][] {
  const { isIntact, findings, findingCount, head, signed } = found;
  const unsigned = head.sequence - signed.sequence;
  return [
    ["chain", isIntact ? { text: "intact", style: "green" } : { text: "BROKEN", style: "red" }],
    ["of", found.entries === 0 ? "" : `service ${found.service}, tenant ${found.tenant}`],
    ["entries", String(found.entries)],
    ["checkpoints", String(found.checkpoints)],
    ["head", head.sequence > 0 ? `${head.sequence} ${head.hash}` : ""],
    ["not signed", unsigned > 0 ? `the last ${unsigned}` : ""],
    ...found.keyIds.map((keyId): [string, string] => ["signed by", keyId]),
    ...findings.map(({ kind, line, detail }): [string, Cell] => [
      kind,
      { text: line > 0 ? `line ${line}: ${detail}` : detail, style: "red" },
    ]),
    ["", findingCount > findings.length ? `and ${findingCount - findings.length} more findings` : ""],
  ];
}
