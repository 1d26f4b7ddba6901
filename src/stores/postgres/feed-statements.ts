// The SQL of reading the feed: events out of its rows, and how their operations stand now.
import { PAGE_BYTES_MAX } from "../feed-page.ts";
import type { Statement } from "./queryable.ts";
import {
  labelsColumn,
  pageColumns,
  pagePayloads,
  payloadBytes,
  ShapedStatements,
  statement,
  storedJoins,
} from "./statements-read.ts";

export const feedPosition: Statement = statement(
  "feed_position",
  "SELECT feed_position FROM meta WHERE id = 1",
);

/** The end of the feed, and when the batch was committed that holds position $1: null where it is gone, or not there yet. */
export const feedHistory: Statement = statement(
  "feed_history",
  `SELECT feed_position, (SELECT time FROM feed WHERE position >= $1 AND $1 > meta.feed_removed ORDER BY position LIMIT 1)
    FROM meta WHERE id = 1`,
);

/**
 * Events after $3 up to $4 of a service and tenant, with the bounds of the feed: [removed, newest, position, name,
 * revision, state, time]; one row of nulls where there is none. A row of the feed is a batch: the one that holds $4 is
 * the last that is opened. OFFSET 0: what a row begins after is worked out once, and not for each event, which would
 * unpack its names each time (35 us). An array with one element stands for all events of its row: see the table.
 */
export const feedEvents: Statement = statement(
  "feed_events",
  `SELECT meta.feed_removed, meta.feed_position, event.position, event.name, event.revision, event.state, event.time
    FROM meta LEFT JOIN LATERAL (
      SELECT f.before + e.place AS position, e.name, coalesce(e.revision, f.revisions[1]) AS revision,
        coalesce(e.state, f.states[1]) AS state, coalesce(e.time, f.times[1]) AS time
      FROM (
        SELECT *, feed.position - cardinality(names) AS before FROM feed
        WHERE position > $3
          AND position <= coalesce((SELECT position FROM feed WHERE position >= $4 ORDER BY position LIMIT 1), $4)
        ORDER BY position OFFSET 0
      ) f
      CROSS JOIN LATERAL unnest(f.services, f.tenants, f.names, f.revisions, f.states, f.times)
        WITH ORDINALITY e (service, tenant, name, revision, state, time, place)
      WHERE f.before + e.place > $3 AND f.before + e.place <= $4 AND coalesce(e.service, f.services[1]) = $1
        AND coalesce(e.tenant, f.tenants[1]) = $2 AND ($5::TEXT[] IS NULL OR e.name = ANY ($5))
      ORDER BY f.position, e.place LIMIT $6
    ) event ON meta.feed_removed <= $3
    WHERE meta.id = 1 ORDER BY event.position`,
);

/** The values that every look-up binds: service, tenant, names, parent or null. A filter's come behind. */
export const LOOKUP_VALUES = 4;

const shapes = new ShapedStatements("feed_look_up");

/**
 * Operations by name, as they stand, where they match: [place of the name, is there, ...ListedRow], in the order of the
 * names; nulls for one that is gone or does not match. Once the payloads are larger than a page, no more come.
 */
export function lookUpOperations(condition: string): Statement {
  // Nobody asks with a filter: what is gone matches none.
  const isThere =
    condition === "TRUE"
      ? `o.name IS NOT NULL OR (SELECT 1 FROM operations x
          WHERE x.service = $1 AND x.tenant = $2 AND x.name = k.name LIMIT 1) IS NOT NULL`
      : "TRUE";
  return shapes.get(`SELECT o.place, o.is_there, ${pageColumns},
      CASE WHEN o.name IS NULL THEN NULL ELSE ${labelsColumn} END
    FROM (
      SELECT k.place, o.*, ${pagePayloads},
        ${isThere} AS is_there,
        sum(${payloadBytes}) OVER (ORDER BY k.place ROWS UNBOUNDED PRECEDING) - (${payloadBytes}) AS bytes_before
      FROM unnest($3::TEXT[]) WITH ORDINALITY k (name, place)
      LEFT JOIN LATERAL (SELECT o.* FROM (
          SELECT * FROM operations x WHERE x.service = $1 AND x.tenant = $2 AND x.name = k.name LIMIT 1
        ) o WHERE ($4::TEXT IS NULL OR o.parent = $4) AND (${condition})) o ON TRUE
      ${storedJoins}
    ) o WHERE o.bytes_before <= ${PAGE_BYTES_MAX} ORDER BY o.place`);
}
