// How far a node knows the feed: what it has read, and what it has committed itself and need not read. Positions are dense
// and become visible in their order, so one number and the ranges beyond it say it all.

export interface PositionRange {
  first: number;
  last: number;
}

export class ChangeCursor {
  #position: number;
  /** Own commits beyond the position, by their first. */
  readonly #own = new Map<number, number>();

  constructor(position: number) {
    this.#position = position;
  }

  /** Everything up to here is known. */
  get position(): number {
    return this.#position;
  }

  /** The last positions of own commits that lie beyond `position`: their rows need not be read. */
  ownBeyond(): number[] {
    return [...this.#own.values()];
  }

  isOwn({ first, last }: PositionRange): boolean {
    return this.#own.get(first) === last;
  }

  /** This process has committed these, and was told that it has. */
  committed({ first, last }: PositionRange): void {
    // Read as another's already: the answer to the commit was slower than the read. It was told twice, and not lost.
    if (last <= this.#position) return;
    this.#own.set(first, last);
    this.#absorb();
  }

  /** Everything up to `position` was read. */
  advance(position: number): void {
    if (position <= this.#position) return;
    this.#position = position;
    for (const [first, last] of this.#own) if (last <= position) this.#own.delete(first);
    this.#absorb();
  }

  /** The feed may not be what it was: all after `position` is to be read again, own commits, too. */
  rewind(position: number): void {
    this.#position = Math.max(0, position);
    this.#own.clear();
  }

  #absorb(): void {
    for (;;) {
      const last = this.#own.get(this.#position + 1);
      if (last === undefined) return;
      this.#own.delete(this.#position + 1);
      this.#position = last;
    }
  }
}
