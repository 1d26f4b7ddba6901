// Where the yandex services of this server are, as ApiEndpointService tells it: the Python and Go SDKs ask first, and then
// call only these addresses, with their credentials.
import type { ServiceDeclaration } from "../services/service-declaration.ts";
import type { Endpoint } from "../services/yandex/api-endpoint-service.ts";
import { endpointIdOf } from "../services/yandex/endpoint-id.ts";

/** What every SDK needs, whatever is declared. */
const BASIC_IDS: readonly string[] = ["iam", "operation", "resource-manager"];

const DEFAULT_PORT = 443;

/**
 * The endpoints for a caller that came by `authority`. By a declared host (api.cloud.example.net): each id at the
 * declared host of its name (operation.api.cloud.example.net), at the caller's port. By any other name: that name for
 * all of them, so that nobody who asks `localhost` is sent away to a host that may be somebody else's.
 */
export function yandexEndpoints(
  declarations: readonly ServiceDeclaration[],
  authority: string | undefined,
): readonly Endpoint[] {
  const services = declarations.filter(({ dialect }) => dialect === "yandex");
  const hosts = services.flatMap((one) => one.hosts);
  const asked = /^(.*?)(?::(\d{1,5}))?$/.exec(authority ?? "");
  const name = asked?.[1]?.toLowerCase() ?? "";
  const port = asked?.[2] ?? String(DEFAULT_PORT);
  const isDeclared = hosts.includes(name);
  const started = services.flatMap((one) => one.startServices.map(({ typeName }) => endpointIdOf(typeName)));
  return [...new Set([...BASIC_IDS, ...started])].map((id) => {
    const own = isDeclared ? hostOf(id, hosts) : undefined;
    return { id, address: `${own ?? (name || "localhost")}:${port}` };
  });
}

/** Of the id `ai-vision-ocr`: `ai-vision-ocr.api...`, else `ocr.api...`. */
function hostOf(id: string, hosts: readonly string[]): string | undefined {
  const labels = [id, id.slice(id.lastIndexOf("-") + 1)];
  return labels
    .map((label) => hosts.find((host) => host.startsWith(`${label}.api.`)))
    .find((host) => host !== undefined);
}
