// What the suite looks at: a server of its own, started from belay.yaml beside this file, or one that is running already:
//
//   BELAY_CONFORMANCE_URL=http://127.0.0.1:8080              services are told apart by their names below localhost
//   BELAY_CONFORMANCE_URL='{"default": "http://127.0.0.1:8080", "vault": "http://127.0.0.1:8081"}'    and by their ports
import { createRegistry } from "@bufbuild/protobuf";
import { loadConfig } from "../../../src/cli/config/load-config.ts";
import { startTestServer, type TestServer } from "../../../src/testing/test-server.ts";
import { WireClient, type WireReply } from "../wire/wire-client.ts";
import { operations } from "./operations.ts";
import { type Caller, type ServiceId, type Transport, tokens } from "./suite-services.ts";
import { Surface } from "./surface.ts";

const config = loadConfig(new URL("./belay.yaml", import.meta.url).pathname);
const registry = createRegistry(...config.services.map((service) => service.registry));

export interface Target extends AsyncDisposable {
  /** The server's inside, where it is our own. */
  readonly own: TestServer | null;
  /** A client of a service; nobody's with null. */
  client(service: ServiceId, caller?: Caller | null): WireClient;
  surface(service: ServiceId, transport: Transport): Surface;
}

/** Starts the server, or finds the one that is named. Throws if that one does not serve what belay.yaml says. */
export async function openTarget(named: string | undefined): Promise<Target> {
  const own = named === undefined ? await startOwn() : null;
  const clients = new Map<string, WireClient>();
  const surfaces = new Map<string, Surface>();
  const placeOf = placesOf(own ? own.url : String(named));
  const target: Target = {
    own,
    client(service, caller = "ada") {
      const key = `${service} ${caller}`;
      let client = clients.get(key);
      if (!client) {
        const authorization = caller === null ? null : `Bearer ${tokens[caller]}`;
        client = new WireClient(placeOf(service), { registry, authorization });
        clients.set(key, client);
      }
      return client;
    },
    surface(service, transport) {
      const key = `${service} ${transport}`;
      let surface = surfaces.get(key);
      if (!surface) {
        surface = new Surface({ service, transport, target });
        surfaces.set(key, surface);
      }
      return surface;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients.values()) client.close();
      await own?.close();
    },
  };
  if (!own) await checkServes(target, String(named));
  return target;
}

function startOwn(): Promise<TestServer> {
  return startTestServer({
    operations,
    services: config.services,
    ...(config.auth && { auth: config.auth }),
  });
}

function placesOf(named: string): (service: ServiceId) => { url: string; authority: string | null } {
  const byName = (url: string, service: ServiceId): { url: string; authority: string | null } => ({
    url,
    authority: service === "default" ? null : `${service}.localhost`,
  });
  if (!named.startsWith("{")) return (service) => byName(named, service);
  const urls = JSON.parse(named) as Partial<Record<ServiceId, string>>;
  return (service) => {
    const url = urls[service];
    if (url !== undefined) return { url, authority: null };
    if (urls.default === undefined) throw new TypeError("BELAY_CONFORMANCE_URL has no service default");
    return byName(urls.default, service);
  };
}

/** Else three hundred rows would say the same. */
async function checkServes(target: Target, named: string): Promise<void> {
  const reply: WireReply = await target
    .client("default")
    .rest("POST", "/belay/v1/operations", { body: { type: "suite.empty" } });
  if (reply.error === null) return;
  throw new Error(
    `${named} does not serve the suite's operations: ${reply.error.message}. Start it with --config tests/conformance/requirements/belay.yaml`,
  );
}
