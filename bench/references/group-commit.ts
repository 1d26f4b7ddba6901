// Group commit, bare: what arrives while a batch is being committed goes with the next one.

interface Waiting<Item, Answer> {
  item: Item;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** Gives items to `commit` in batches, `lanes` of them at a time; each item's promise settles with its batch. */
export class GroupCommit<Item, Answer> {
  readonly #commit: (items: readonly Item[]) => Promise<readonly Answer[]>;
  readonly #lanes: number;
  readonly #batchMax: number;
  #waiting: Waiting<Item, Answer>[] = [];
  #running = 0;
  #scheduled = false;

  constructor(
    commit: (items: readonly Item[]) => Promise<readonly Answer[]>,
    { lanes = 1, batchMax = 500 }: { lanes?: number; batchMax?: number } = {},
  ) {
    this.#commit = commit;
    this.#lanes = lanes;
    this.#batchMax = batchMax;
  }

  add(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#next();
      });
    });
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#running < this.#lanes) {
      void this.#run(this.#waiting.splice(0, this.#batchMax));
    }
  }

  async #run(batch: readonly Waiting<Item, Answer>[]): Promise<void> {
    this.#running++;
    try {
      const answers = await this.#commit(batch.map(({ item }) => item));
      for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as Answer);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#running--;
      this.#next();
    }
  }
}
