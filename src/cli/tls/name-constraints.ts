// Name constraints of a CA (RFC 5280, 4.2.1.10): the DNS names that it may vouch for. Who steals the key of a CA that was
// made for `localhost` cannot play a bank with it to those who trust it. Addresses stay unconstrained: BoringSSL, the
// TLS of gRPC for Python and C++, refuses every certificate with an address whose CA constrains addresses
// ("unsupported name constraint type", grpcio 1.85). The DER is two nested lists, written by hand.
import type { CertificateName } from "./certificate-names.ts";

/** The extension's object identifier. */
export const NAME_CONSTRAINTS = "2.5.29.30";

// Tags: a list; the permitted ones (context 0, constructed); a DNS name (context 2).
const SEQUENCE = 0x30;
const PERMITTED = 0xa0;
const DNS_NAME = 0x82;

/** The extension's value: it permits these DNS names, the ones below them, and no others. */
export function encodeConstraints(names: readonly CertificateName[]): Buffer {
  const values = names.filter(({ kind }) => kind === "dns").map(({ value }) => withoutWildcard(value));
  // The list may not be empty.
  const permitted = new Set(values.length > 0 ? values : ["localhost"]);
  return tlv(SEQUENCE, tlv(PERMITTED, Buffer.concat([...permitted].map(subtreeOf))));
}

/** True if an extension that `encodeConstraints` made permits the name. */
export function permits(constraints: Buffer, { kind, value }: CertificateName): boolean {
  const labels = withoutWildcard(value).split(".");
  const suffixes = labels.map((_, index) => labels.slice(index).join("."));
  return kind === "ip" || suffixes.some((suffix) => constraints.includes(subtreeOf(suffix)));
}

function subtreeOf(name: string): Buffer {
  return tlv(SEQUENCE, tlv(DNS_NAME, Buffer.from(name, "latin1")));
}

function withoutWildcard(name: string): string {
  return name.replace(/^\*\./, "");
}

/** Tag, length, value. The length is one byte below 128, else a count of bytes and the bytes. */
function tlv(tag: number, value: Buffer): Buffer {
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value]);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  return Buffer.concat([Buffer.of(tag, 0x80 | bytes.length), bytes, value]);
}
