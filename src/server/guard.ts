// The door of a server without identity (design, section 8): it answers only to this machine's own programs and to
// pages that it served itself, never to another web site that a browser on this machine has open.
import { isIPv4 } from "node:net";
import { RpcError } from "../base/rpc-error.ts";

/** What the guard looks at; absent headers are undefined. */
export interface GuardedCall {
  /** The Host header or `:authority`. */
  host: string | undefined;
  origin: string | undefined;
  secFetchSite: string | undefined;
}

/** Refuses calls by throwing HOST_REFUSED or CROSS_SITE_REFUSED. */
export interface Guard {
  check(call: GuardedCall): void;
}

const PORT = /^(?::\d{1,5})?$/;

/** True for `localhost`, an address in 127.0.0.0/8 or `[::1]`, each with or without a port. */
export function isLoopbackAuthority(authority: string): boolean {
  const text = authority.toLowerCase();
  if (text.startsWith("localhost")) return PORT.test(text.slice("localhost".length));
  if (text.startsWith("[::1]")) return PORT.test(text.slice("[::1]".length));
  if (!text.startsWith("127.")) return false;
  const colon = text.indexOf(":");
  const address = colon === -1 ? text : text.slice(0, colon);
  return isIPv4(address) && PORT.test(text.slice(address.length));
}

/**
 * The guard of dev mode.
 *
 * A name that resolves to 127.0.0.1 in somebody's DNS (rebinding) is refused by the Host check; a form, image or
 * fetch of another site by Origin and Sec-Fetch-Site. Programs send neither of these two.
 */
export function createLoopbackGuard(): Guard {
  let lastGoodHost: string | undefined;
  return {
    check({ host, origin, secFetchSite }: GuardedCall): void {
      if (host === undefined || host !== lastGoodHost) {
        if (host === undefined || !isLoopbackAuthority(host))
          throw new RpcError("HOST_REFUSED", { host: host ?? "" });
        lastGoodHost = host;
      }
      if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
        throw new RpcError("CROSS_SITE_REFUSED");
      }
      if (secFetchSite !== undefined && secFetchSite !== "same-origin" && secFetchSite !== "none") {
        throw new RpcError("CROSS_SITE_REFUSED");
      }
    },
  };
}
