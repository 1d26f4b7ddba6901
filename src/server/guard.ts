// The door of the server (design, section 8). Without identity it answers only to this machine's own programs; with or
// without, never to another web site that a browser has open, and never to a request that a browser makes on a guess.
// It knows nothing of services and tokens: who calls is told later, by the interceptors.
import { isIPv4 } from "node:net";
import { RpcError } from "../base/rpc-error.ts";

/** What the guard looks at; absent headers are undefined. */
export interface GuardedCall {
  /** The Host header or `:authority`. */
  host: string | undefined;
  origin: string | undefined;
  secFetchSite: string | undefined;
  /** Why the request is made, of `purposeOf`; absent if nothing says so. */
  secPurpose?: string | undefined;
  /** The connection is TLS; default false. */
  isTls?: boolean | undefined;
}

/** Refuses calls by throwing HOST_REFUSED, CROSS_SITE_REFUSED or PREFETCH_REFUSED. */
export interface Guard {
  check(call: GuardedCall): void;
}

export interface GuardOptions {
  /** The hosts of the declared services, without ports. */
  allowedHosts: readonly string[];
  /** True without identity: the host must be a loopback name or an allowed one. False: any host passes. */
  requireLoopback: boolean;
}

const PORT = /^(?::\d{1,5})?$/;

/** `localhost` and what is below it (RFC 6761, 6.3: never anything but loopback), maybe with the root's dot. */
const LOCALHOST = /^(?:[a-z0-9_-]+\.)*localhost\.?(?::\d{1,5})?$/;

/** True for `localhost`, a name below it, an address in 127.0.0.0/8 or `[::1]`, each with or without a port. */
export function isLoopbackAuthority(authority: string): boolean {
  const text = authority.toLowerCase();
  if (LOCALHOST.test(text)) return true;
  if (text.startsWith("[::1]")) return PORT.test(text.slice("[::1]".length));
  if (!text.startsWith("127.")) return false;
  const colon = text.indexOf(":");
  const address = colon === -1 ? text : text.slice(0, colon);
  return isIPv4(address) && PORT.test(text.slice(address.length));
}

/** `name` of `name`, `name.` and `name:port`, in lower case; undefined for anything else. */
function namePart(authority: string): string | undefined {
  return /^([^:]+?)\.?(?::\d{1,5})?$/.exec(authority)?.[1]?.toLowerCase();
}

/** Browsers leave out the scheme's own port in Origin; a client may write it in Host. */
function originOf(host: string, isTls: boolean): string {
  const name = host.toLowerCase();
  return isTls ? `https://${name.replace(/:443$/, "")}` : `http://${name.replace(/:80$/, "")}`;
}

const purposeHeaders = ["sec-purpose", "purpose", "x-purpose", "x-moz"] as const;

/**
 * What the request's headers say it is for: `prefetch;prerender`, for instance. Fetch standard: Sec-Purpose; Chrome
 * before 110 and Safari: Purpose and X-Purpose; Firefox before 115: X-Moz.
 */
export function purposeOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): string | undefined {
  let purpose: string | undefined;
  for (const name of purposeHeaders) {
    const value = headers[name];
    if (value !== undefined) purpose = purpose === undefined ? String(value) : `${purpose}, ${value}`;
  }
  return purpose;
}

const SPECULATIVE = /\b(?:prefetch|prerender|preview)\b/i;

/**
 * Makes the guard.
 *
 * A name that resolves to this machine in somebody's DNS (rebinding) is refused by the Host check; a form, image or
 * fetch of another site by Origin and Sec-Fetch-Site; a page loaded before anybody asked for it by its purpose: a GET
 * may cancel here (R21). Programs send none of these headers but Host.
 */
export function createGuard({ allowedHosts, requireLoopback }: GuardOptions): Guard {
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()));
  const isAllowed = (host: string): boolean => {
    if (isLoopbackAuthority(host)) return true;
    const name = namePart(host);
    return name !== undefined && allowed.has(name);
  };
  let lastGoodHost: string | undefined;
  return {
    check({ host, origin, secFetchSite, secPurpose, isTls }: GuardedCall): void {
      if (requireLoopback && (host === undefined || host !== lastGoodHost)) {
        if (host === undefined || !isAllowed(host))
          throw new RpcError("HOST_REFUSED", { host: host || "(none)" });
        lastGoodHost = host;
      }
      const own = origin === undefined || host === undefined ? undefined : originOf(host, isTls === true);
      if (origin?.toLowerCase() !== own) throw new RpcError("CROSS_SITE_REFUSED");
      if (secFetchSite !== undefined && secFetchSite !== "same-origin" && secFetchSite !== "none") {
        throw new RpcError("CROSS_SITE_REFUSED");
      }
      if (secPurpose !== undefined && SPECULATIVE.test(secPurpose)) throw new RpcError("PREFETCH_REFUSED");
    },
  };
}
