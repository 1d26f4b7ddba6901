// The streams that are open on a server: told when it stops, so that none of them holds it up.

/** An open stream. */
export interface OpenStream {
  /** Its connection, as `ServerCall.peer`. */
  readonly peer: string;
  /** The server stops: the stream ends soon, by itself. */
  drain(): void;
}

export class OpenStreams {
  readonly #open = new Set<OpenStream>();
  #isDraining = false;

  /** How many are open at this moment. */
  get count(): number {
    return this.#open.size;
  }

  add(stream: OpenStream): void {
    this.#open.add(stream);
    if (this.#isDraining) stream.drain();
  }

  delete(stream: OpenStream): void {
    this.#open.delete(stream);
  }

  /** Tells the streams of one connection that it ends. */
  drainPeer(peer: string): void {
    for (const stream of [...this.#open]) if (stream.peer === peer) stream.drain();
  }

  /** Tells every open stream, and those that still come. */
  drain(): void {
    this.#isDraining = true;
    for (const stream of [...this.#open]) stream.drain();
  }
}
