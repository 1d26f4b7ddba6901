// The hosts of the services that are served, for a certificate. A built-in service's public names are left out until
// belay.yaml says something of the service: a CA that may vouch for them is nothing to make without being asked.
import { builtinServices } from "../../services/builtin/builtin-services.ts";
import type { ServerConfig } from "../config/server-config.ts";

/** In the order of the services. */
export function declaredHosts(config: ServerConfig | undefined): readonly string[] {
  const services = config?.services ?? builtinServices;
  return services.flatMap((service) =>
    builtinServices.includes(service) ? service.hosts.filter(isLocalName) : service.hosts,
  );
}

/** Names below `localhost` lead to this machine and nowhere else (RFC 6761, 6.3). */
function isLocalName(host: string): boolean {
  return host.endsWith(".localhost");
}
