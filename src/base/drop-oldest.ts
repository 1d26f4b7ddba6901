// Maps as caches: the entries that were put in first make room.

/** Removes the oldest entries until at most `max` are left. A key that is set again keeps its age: delete it before. */
export function dropOldest<Key>(map: Map<Key, unknown>, max: number): void {
  if (map.size <= max) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    if (map.size <= max) return;
  }
}
