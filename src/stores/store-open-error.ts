// Why a store could not be opened, in one line for the operator.

/** Thrown when a store opens; the message names the folder or the database, and is fit to be printed as it is. */
export class StoreOpenError extends Error {
  override name = "StoreOpenError";
  /** True where the same may succeed later with nobody doing anything: the database is away, starts, or fails over. */
  readonly isAway: boolean;

  constructor(message: string, { isAway = false }: { isAway?: boolean } = {}) {
    super(message);
    this.isAway = isAway;
  }
}
