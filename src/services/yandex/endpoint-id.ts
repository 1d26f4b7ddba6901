// The id under which clients look for a protobuf service's address in ApiEndpointService.List. The SDKs know it by the
// service's package; a service that is listed under another id is not found by them.

/** Where the id is not the package's own name. The longest prefix wins. */
const named: ReadonlyMap<string, string> = new Map([
  ["yandex.cloud.ai.dataset", "ai-foundation-models"],
  ["yandex.cloud.ai.foundation_models", "ai-foundation-models"],
  ["yandex.cloud.ai.ocr", "ai-vision-ocr"],
  ["yandex.cloud.ai.tts", "ai-speechkit"],
  ["yandex.cloud.ai.tuning", "ai-foundation-models"],
  ["yandex.cloud.apploadbalancer", "alb"],
  ["yandex.cloud.certificatemanager", "certificate-manager"],
  ["yandex.cloud.containerregistry", "container-registry"],
  ["yandex.cloud.k8s", "managed-kubernetes"],
  ["yandex.cloud.loadbalancer", "load-balancer"],
  ["yandex.cloud.organizationmanager", "organization-manager"],
  ["yandex.cloud.resourcemanager", "resource-manager"],
]);

const ROOT = "yandex.cloud.";
const DATABASES = "yandex.cloud.mdb.";
const VERSION = /^v\d+((alpha|beta)\d*)?$/;

/**
 * The endpoint id of a service, by its full name: `yandex.cloud.ai.ocr.v1.TextRecognitionAsyncService` is
 * `ai-vision-ocr`, `yandex.cloud.serverless.functions.v1.FunctionService` is `serverless-functions`; outside of
 * yandex.cloud it is made of the whole package.
 */
export function endpointIdOf(typeName: string): string {
  const names = typeName.split(".").slice(0, -1);
  for (let length = names.length; length > 0; length--) {
    const id = named.get(names.slice(0, length).join("."));
    if (id !== undefined) return id;
  }
  const packageName = names.filter((name) => !VERSION.test(name)).join(".");
  if (packageName.startsWith(DATABASES)) return `managed-${dashed(packageName.slice(DATABASES.length))}`;
  return dashed(packageName.startsWith(ROOT) ? packageName.slice(ROOT.length) : packageName);
}

function dashed(name: string): string {
  return name.replace(/[._]/g, "-");
}
