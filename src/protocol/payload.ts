// Bytes with their type, as in google.protobuf.Any: the form in which messages of any type pass through
// Belay.

/** The same shape as the engine's payload; neither looks inside. */
export interface Payload {
  typeUrl: string;
  bytes: Uint8Array;
}
