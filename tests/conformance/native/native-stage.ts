// The world of the tests of belay.v1: a whole server with handlers whose end the test decides (native-world.ts), looked at
// from outside on both transports, in three services.
import type { JsonObject } from "@bufbuild/protobuf";
import { automlService } from "../../../src/services/builtin/automl.ts";
import { defaultService } from "../../../src/services/builtin/default.ts";
import { vaultService } from "../../../src/services/builtin/vault.ts";
import { yandexService } from "../../../src/services/builtin/yandex.ts";
import { type NativeWorld, startNativeWorld } from "../../../src/testing/native-world.ts";
import { WireClient } from "../wire/wire-client.ts";
import { callNative, must, type NativeMethod, type Transport } from "./native-calls.ts";

export type StageService = "default" | "vault" | "automl" | "yandex";

export interface NativeStage extends NativeWorld {
  /** A client of a service. */
  client(service?: StageService): WireClient;
  /** A call that must succeed. */
  must(transport: Transport, method: NativeMethod, request?: JsonObject): Promise<JsonObject>;
  /** Waits until it is done, and shows it. */
  ended(name: string): Promise<JsonObject>;
}

/** Starts the world; close it, or declare it with `await using`. */
export async function startNativeStage(): Promise<NativeStage> {
  const services = [defaultService, vaultService, automlService, yandexService];
  const world = await startNativeWorld({ services, slots: 200 });
  const clients = new Map<StageService, WireClient>();
  const client: NativeStage["client"] = (service = "default") => {
    const authority = service === "default" ? null : `${service}.localhost`;
    const made = clients.get(service) ?? new WireClient({ url: world.url, authority });
    clients.set(service, made);
    return made;
  };
  const close = async (): Promise<void> => {
    for (const each of clients.values()) each.close();
    await world.close();
  };
  return {
    ...world,
    close,
    client,
    must: async (transport, method, request) => must(await callNative(client(), transport, method, request)),
    ended: (name) => world.ok(`${name}:wait`, {}),
    [Symbol.asyncDispose]: close,
  };
}
