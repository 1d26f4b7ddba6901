// What a node tells the others by NOTIFY: that there is something to read, never the thing itself. A message may be lost,
// come late, or come from somebody else who knows the channel: nothing but the time of a read depends on it.

/** PostgreSQL takes less than 8,000 bytes; the rest is room for what an encoding may add. */
const PAYLOAD_BYTES_MAX = 7900;

export interface ChangeMessage {
  /** Who sends it. */
  node: string;
  /** The feed has events up to here; 0 where nothing visible has changed. */
  position: number;
  /** Pending operations of these types may be ready; null: of any type. */
  types: readonly string[] | null;
}

/** The payload of a message; types that do not fit are not named. */
export function encodeChangeMessage(message: ChangeMessage): string {
  const payload = JSON.stringify(message);
  if (Buffer.byteLength(payload) <= PAYLOAD_BYTES_MAX) return payload;
  return JSON.stringify({ ...message, types: null });
}

/** The message of a payload; null if it is none. */
export function decodeChangeMessage(payload: string): ChangeMessage | null {
  try {
    const { node, position, types } = JSON.parse(payload) as Record<string, unknown>;
    if (typeof node !== "string" || !Number.isSafeInteger(position)) return null;
    if (types !== null && !(Array.isArray(types) && types.every((type) => typeof type === "string")))
      return null;
    return { node, position: position as number, types };
  } catch {
    return null;
  }
}
