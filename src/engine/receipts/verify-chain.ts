// Checks a file of chain lines (chain-lines.ts) with nothing but the file: hashes, order, signatures, ends. Streaming, pure,
// without a server or a store. What it cannot know is told by its caller: which keys to trust, how far the chain once was.
import { createHash, type KeyObject } from "node:crypto";
import { canonicalText } from "./canonical-json.ts";
import { entryHash, isSignedPlace, keyIdOf, publicKeyOf } from "./chain-hash.ts";
import { CHAIN_FORMAT, type ChainHeader, instantOf } from "./chain-lines.ts";
import { ChainOrder } from "./chain-order.ts";
import { type ChainLine, readChainLine } from "./read-chain-line.ts";

export type FindingKind =
  /** An entry, or another line, is not as it was written. */
  | "changed"
  /** An entry or a checkpoint that was there is gone. */
  | "missing"
  /** A line stands where it does not belong, or stands there twice. */
  | "reordered"
  /** The file ends before the chain did. */
  | "truncated"
  | "bad-signature"
  /** A checkpoint is signed by a key that the header does not name, or that the caller does not trust. */
  | "unknown-key"
  | "wrong-header";

/** One thing that is wrong. */
export interface Finding {
  kind: FindingKind;
  /** The line of the file, from 1; 0 for the file as a whole. */
  line: number;
  detail: string;
}

/** A place in the chain, kept from an earlier time: the chain must still go through it. */
export interface KnownPlace {
  sequence: number;
  hash: string;
}

export interface VerifyOptions {
  /** The ids of the keys that may sign; absent: those that the header names. */
  trustedKeys?: readonly string[];
  /** A checkpoint or head that was noted before. */
  known?: KnownPlace;
  /** The chain that it should be; absent: whatever the header says. */
  service?: string;
  tenant?: string;
}

export interface Verification {
  /** Nothing is wrong. */
  isIntact: boolean;
  /** In the order of the file; the first thousand. */
  findings: readonly Finding[];
  findingCount: number;
  service: string;
  tenant: string;
  entries: number;
  checkpoints: number;
  /** The last entry. */
  head: KnownPlace;
  /** The last place with a good signature; entries after it are chained and not signed. */
  signed: KnownPlace;
  /** The keys that signed. Compare them with those you know: a whole forged file has keys of its own. */
  keyIds: readonly string[];
}

const FINDINGS_MAX = 1000;

/** Verifies the lines of a file, given without their line feeds. Never throws for what is in them. */
export async function verifyChain(
  lines: AsyncIterable<string> | Iterable<string>,
  options: VerifyOptions = {},
): Promise<Verification> {
  const verifier = new ChainVerifier(options);
  for await (const line of lines) verifier.line(line);
  return verifier.finish();
}

/** Takes one line after the other. */
class ChainVerifier {
  readonly #options: VerifyOptions;
  readonly #findings: Finding[] = [];
  #findingCount = 0;
  #line = 0;
  #header: ChainHeader | undefined;
  readonly #keys = new Map<string, KeyObject>();
  readonly #signers = new Set<string>();
  readonly #digest = createHash("sha256");
  #order: ChainOrder;
  #entries = 0;
  #checkpoints = 0;
  #signed: KnownPlace = { sequence: 0, hash: "" };
  #hasEnded = false;
  #metKnown = false;

  constructor(options: VerifyOptions) {
    this.#options = options;
    this.#order = new ChainOrder(0, "", (kind, detail) => this.#found(kind, detail));
  }

  line(text: string): void {
    this.#line++;
    if (this.#hasEnded) {
      this.#found("reordered", "a line after the end");
      return;
    }
    const parsed = readChainLine(text);
    if (this.#line === 1 || parsed.type === "header") this.#readHeader(parsed);
    else if (parsed.type === "entry") this.#readEntry(parsed);
    else if (parsed.type === "checkpoint") this.#readCheckpoint(parsed);
    else if (parsed.type === "end") this.#readEnd(parsed, text);
    else this.#found("changed", parsed.problem);
    if (parsed.type !== "end") this.#digest.update(text).update("\n");
  }

  finish(): Verification {
    this.#line = 0;
    if (!this.#header) this.#found("wrong-header", "the file has no header");
    this.#order.finish();
    if (!this.#hasEnded) this.#found("truncated", "the file has no end line");
    this.#checkKnown();
    const { sequence, hash } = this.#order;
    return {
      isIntact: this.#findingCount === 0,
      findings: this.#findings,
      findingCount: this.#findingCount,
      service: this.#header?.service ?? "",
      tenant: this.#header?.tenant ?? "",
      entries: this.#entries,
      checkpoints: this.#checkpoints,
      head: { sequence, hash },
      signed: this.#signed,
      keyIds: [...this.#signers].sort(),
    };
  }

  #readHeader(line: ChainLine): void {
    if (this.#line > 1) {
      this.#found("reordered", "a header in the middle");
      return;
    }
    if (line.type !== "header") {
      const problem = line.type === "other" ? `: ${line.problem}` : "";
      this.#found("wrong-header", `the first line is no header of ${CHAIN_FORMAT}${problem}`);
      return;
    }
    const { header } = line;
    this.#header = header;
    for (const part of ["service", "tenant"] as const) {
      const wanted = this.#options[part];
      if (wanted !== undefined && wanted !== header[part])
        this.#found("wrong-header", `the chain is of ${part} ${header[part]}, not ${wanted}`);
    }
    for (const [keyId, text] of Object.entries(header.publicKeys)) {
      const key = publicKeyOf(text);
      if (key && keyIdOf(text) === keyId) this.#keys.set(keyId, key);
      else this.#found("wrong-header", `the public key ${keyId} is not the one with this id`);
    }
    this.#order = new ChainOrder(header.after, header.afterHash, (kind, detail) => this.#found(kind, detail));
  }

  #readEntry({ entry }: Extract<ChainLine, { type: "entry" }>): void {
    this.#entries++;
    const { sequence, hash, content } = entry;
    const previous = this.#order.entry(sequence, hash);
    if (previous !== undefined && entryHash(previous, content) !== hash) {
      this.#found("changed", `entry ${sequence} does not have the hash that it should have`);
    }
    if (sequence === this.#options.known?.sequence) {
      this.#metKnown = true;
      if (hash !== this.#options.known.hash)
        this.#found("changed", `entry ${sequence} is another one than the one that was noted`);
    }
    this.#checkContent(entry);
  }

  /** What stands in the line beside the content is in the content, too. */
  #checkContent({ sequence, name, content }: { sequence: number; name: string; content: string }): void {
    const header = this.#header;
    if (!header) return;
    const expected = { service: header.service, tenant: header.tenant, sequence, name };
    let stated: Record<string, unknown>;
    try {
      stated = Object(JSON.parse(content));
    } catch {
      this.#found("changed", `the content of entry ${sequence} is no JSON`);
      return;
    }
    for (const [member, value] of Object.entries(expected)) {
      if (stated[member] === value) continue;
      const kind = member === "service" || member === "tenant" ? "wrong-header" : "changed";
      this.#found(kind, `entry ${sequence} is of ${member} ${String(stated[member])}, not ${value}`);
    }
  }

  #readCheckpoint({ checkpoint }: Extract<ChainLine, { type: "checkpoint" }>): void {
    this.#checkpoints++;
    const { sequence, hash, time, keyId, signature } = checkpoint;
    const isInPlace = this.#order.checkpoint(sequence, hash);
    const key = this.#keys.get(keyId);
    const { trustedKeys } = this.#options;
    if (!key || (trustedKeys && !trustedKeys.includes(keyId))) {
      this.#found(
        "unknown-key",
        `the checkpoint at ${sequence} is signed by key ${keyId}, which is not ${key ? "trusted" : "known"}`,
      );
      return;
    }
    const { service = "", tenant = "" } = this.#header ?? {};
    const instant = instantOf(time);
    if (instant === undefined) {
      this.#found("changed", `the checkpoint at ${sequence} has no time`);
    } else if (!isSignedPlace({ service, tenant, sequence, hash, time: instant }, signature, key)) {
      this.#found("bad-signature", `the checkpoint at ${sequence} is not signed by key ${keyId}`);
    } else if (isInPlace) {
      this.#signers.add(keyId);
      this.#signed = { sequence, hash };
    }
  }

  #readEnd({ end }: Extract<ChainLine, { type: "end" }>, text: string): void {
    this.#hasEnded = true;
    // The digest is over the lines before it.
    if (text !== canonicalText({ end })) this.#found("changed", "the end is not written as ends are");
    if (end.checkpoints !== this.#checkpoints)
      this.#found(
        end.checkpoints > this.#checkpoints ? "missing" : "reordered",
        `the file was written with ${end.checkpoints} checkpoints, it has ${this.#checkpoints}`,
      );
    if (end.entries !== this.#entries)
      this.#found(
        end.entries > this.#entries ? "missing" : "reordered",
        `the file was written with ${end.entries} entries, it has ${this.#entries}`,
      );
    // The rest above says what is wrong; this one finds what harms nothing, such as a space.
    if (this.#findingCount === 0 && end.digest !== this.#digest.digest("base64url"))
      this.#found("changed", "the lines are not those that were written");
  }

  #checkKnown(): void {
    const { known } = this.#options;
    if (!known || this.#metKnown || known.sequence === 0) return;
    const after = this.#header?.after ?? 0;
    if (known.sequence === after && known.hash === this.#header?.afterHash) return;
    if (known.sequence > this.#order.sequence) {
      this.#found(
        "truncated",
        `the chain was at ${known.sequence} before, it ends at ${this.#order.sequence}`,
      );
    } else {
      this.#found("missing", `entry ${known.sequence}, which was noted before, is not there`);
    }
  }

  #found(kind: FindingKind, detail: string): void {
    this.#findingCount++;
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push({ kind, line: this.#line, detail });
  }
}
