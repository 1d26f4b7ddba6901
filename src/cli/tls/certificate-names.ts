// The names that a local certificate is for: DNS names and addresses, as certificates and clients write them.
import { isIP, isIPv4, SocketAddress } from "node:net";
import { domainToASCII } from "node:url";
import { CliError } from "../exit-codes.ts";

/** One name of a certificate. */
export interface CertificateName {
  kind: "dns" | "ip";
  /** Lower case; an internationalised name in its ASCII form, an IPv6 address in its shortest one. */
  value: string;
}

/** What every local certificate is for. */
export const localNames: readonly string[] = ["localhost", "127.0.0.1", "::1"];

const YANDEX_CLOUD = "api.cloud.yandex.net";

/** The names of all Yandex Cloud endpoints; the wildcard does not cover the bare name. */
export const yandexNames: readonly string[] = [YANDEX_CLOUD, `*.${YANDEX_CLOUD}`];

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
const NAME_MAX = 253;

/**
 * Reads names and leaves out repeated ones, and those that a wildcard among them covers.
 * Throws a CliError for a text that is neither a DNS name (a wildcard is its first label) nor an address.
 */
export function readNames(texts: readonly string[]): readonly CertificateName[] {
  const names = new Map(texts.map(readName).map((name) => [name.value, name]));
  const isCovered = ({ kind, value }: CertificateName): boolean => {
    const [, parent] = /^[^*.]+\.(.+)$/.exec(value) ?? [];
    return kind === "dns" && parent !== undefined && names.has(`*.${parent}`);
  };
  return [...names.values()].filter((name) => !isCovered(name));
}

/** Adds the names of all Yandex Cloud endpoints if one of the texts is one. */
export function withYandexNames(texts: readonly string[]): readonly string[] {
  const isYandex = (text: string): boolean => `.${text.toLowerCase()}`.endsWith(`.${YANDEX_CLOUD}`);
  return texts.some(isYandex) ? [...texts, ...yandexNames] : texts;
}

function readName(text: string): CertificateName {
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  if (isIP(bare)) {
    const family = isIPv4(bare) ? "ipv4" : "ipv6";
    return { kind: "ip", value: new SocketAddress({ address: bare, family }).address };
  }
  const isWildcard = text.startsWith("*.");
  const value = domainToASCII(isWildcard ? text.slice(2) : text).toLowerCase();
  const labels = value.split(".");
  // A last label of digits would be read as an address.
  const isName =
    labels.every((label) => LABEL.test(label)) &&
    value.length <= NAME_MAX &&
    !/^\d+$/.test(labels.at(-1) ?? "");
  if (!isName || (isWildcard && labels.length < 2)) {
    throw new CliError(`${JSON.stringify(text)} is neither a host name nor an address`);
  }
  return { kind: "dns", value: isWildcard ? `*.${value}` : value };
}
