// Why a store could not be opened, in one line for the operator.

/** Thrown when a store opens; the message names the folder or the database, and is fit to be printed as it is. */
export class StoreOpenError extends Error {
  override name = "StoreOpenError";
}
