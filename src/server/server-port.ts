// One listening port with both protocols behind it. A server has a main port, and one for each port that a service
// declares for itself alone.
import type { AddressInfo } from "node:net";
import { OnePortListener, type OnePortListenerOptions } from "./one-port-listener.ts";
import { type ListenerParts, ProtocolListeners } from "./protocol-listeners.ts";

export class ServerPort {
  readonly listeners: ProtocolListeners;
  readonly #port: OnePortListener;

  constructor(options: Omit<OnePortListenerOptions, "onHttp1" | "onHttp2">, parts: ListenerParts) {
    this.listeners = new ProtocolListeners(parts);
    this.#port = new OnePortListener({
      ...options,
      onHttp1: (socket) => this.listeners.acceptHttp1(socket),
      onHttp2: (socket) => this.listeners.acceptHttp2(socket),
    });
  }

  /** Binds the port. Rejects with the error of the system. */
  listen(): Promise<AddressInfo> {
    return this.#port.listen();
  }

  /** Takes no new connections; resolves when the last one is closed. */
  stop(): Promise<void> {
    return this.#port.stop();
  }

  destroyConnections(): void {
    this.#port.destroyConnections();
  }
}
