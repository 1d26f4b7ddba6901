// Why a data folder could not be opened, in one line for the operator.

/** Thrown by `SqliteStore.open`; the message names the folder and is fit to be printed as it is. */
export class StoreOpenError extends Error {
  override name = "StoreOpenError";
}
