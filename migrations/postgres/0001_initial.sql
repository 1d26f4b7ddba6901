-- works-with-schema: 1 (the oldest schema whose nodes can go on while this is applied: see docs/guide/migrations.md)
-- The whole schema of the PostgreSQL store. Instants are microseconds since the Unix epoch; durations say their unit;
-- flags are 0 and 1, as in SQLite, so that both stores read and write rows by the same code. Every row of an operation
-- carries (service, tenant), and every key starts with them. CHECKs and triggers restate the invariants that the engine
-- already holds (S1, S2, ...): a bug that would break one aborts its transaction instead of reaching the disk.
-- Text is compared by bytes (COLLATE "C"): as in SQLite, and several times faster than by a language.

CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  -- Made once: tells one database from another.
  database_id TEXT NOT NULL,
  create_time BIGINT NOT NULL,
  -- The position of the newest event of the feed. Every batch with a visible change takes this row's lock last, right
  -- before its COMMIT, so that positions become visible in their order (S17). A sequence would not do: its numbers are
  -- taken long before the commits, and in another order.
  feed_position BIGINT NOT NULL,
  -- The last position that retention took from the feed: a watch that resumes before it has missed events.
  feed_removed BIGINT NOT NULL,
  -- The newest instant of any committed batch: no node's clock goes back behind it, not even after a failover to a
  -- server whose clock is slow.
  last_instant BIGINT NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Ends a transaction that has written fewer rows than it was to: another node was first (a lost compare-and-set).
CREATE FUNCTION belay_expect(written BIGINT, expected BIGINT) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
BEGIN
  IF written <> expected THEN
    RAISE EXCEPTION 'lost race: % rows instead of %', written, expected USING ERRCODE = 'BL001';
  END IF;
  RETURN TRUE;
END $$;

-- Keys that seal page tokens and resume tokens, shared by all nodes. A new one is made when the newest is a week old.
CREATE TABLE keys (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  purpose TEXT NOT NULL CHECK (purpose IN ('page-token')),
  bytes BYTEA NOT NULL CHECK (length(bytes) = 32),
  create_time BIGINT NOT NULL
);

-- Small documents that all nodes share: identity keys, revocations. `revision` is for compare-and-set.
CREATE TABLE shared_files (
  path TEXT COLLATE "C" PRIMARY KEY,
  revision BIGINT NOT NULL,
  content BYTEA NOT NULL
);

-- The server processes that use this database, with the schema versions that they can work on (`belay migrate`).
CREATE TABLE nodes (
  node TEXT COLLATE "C" PRIMARY KEY,
  version TEXT NOT NULL,
  schema_min INTEGER NOT NULL,
  schema_max INTEGER NOT NULL,
  host TEXT NOT NULL,
  start_time BIGINT NOT NULL,
  heartbeat_time BIGINT NOT NULL
);

-- The hot row. Payloads are apart. fillfactor leaves room for two more versions in the page.
CREATE TABLE operations (
  service TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  parent TEXT COLLATE "C" NOT NULL,
  type TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  -- +1 with every write of the row, visible or not: what compare-and-set looks at.
  version BIGINT NOT NULL,
  revision BIGINT NOT NULL CHECK (revision >= 1),
  create_time BIGINT NOT NULL,
  update_time BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  description TEXT NOT NULL,

  -- The policy, resolved when the operation started.
  cancellable SMALLINT NOT NULL CHECK (cancellable IN (0, 1)),
  grace_ms BIGINT NOT NULL,
  critical_ms BIGINT NOT NULL,
  cleanup_ms BIGINT NOT NULL,
  kill_ms BIGINT NOT NULL,
  max_attempts BIGINT NOT NULL,
  backoff_ms BIGINT NOT NULL,
  backoff_max_ms BIGINT NOT NULL,
  attempt_timeout_ms BIGINT NOT NULL,
  stall_timeout_ms BIGINT NOT NULL,
  retention_ms BIGINT NOT NULL CHECK (retention_ms >= 0),
  on_delete TEXT NOT NULL CHECK (on_delete IN ('keep', 'cancel', 'refuse')),

  start_after BIGINT NOT NULL,
  deadline BIGINT,
  attempt BIGINT NOT NULL,
  -- The last lease token granted; it is also the token of the lease, or of what is held.
  lease_token BIGINT NOT NULL,
  lease_session TEXT COLLATE "C",
  lease_begun SMALLINT CHECK (lease_begun IN (0, 1)),
  lease_guarded SMALLINT CHECK (lease_guarded IN (0, 1)),
  -- The lease of an attempt that was taken away and may still run.
  held_session TEXT COLLATE "C",
  held_begun SMALLINT CHECK (held_begun IN (0, 1)),
  held_guarded SMALLINT CHECK (held_guarded IN (0, 1)),
  attempt_start_time BIGINT,
  activity_time BIGINT,
  progress_percent DOUBLE PRECISION,
  progress_message TEXT CHECK (length(progress_message) <= 1024),
  -- The cancel request: rare, and read only as a whole.
  cancel JSON CHECK (octet_length(cancel::TEXT) <= 16384),
  outcome TEXT,
  outcome_digest TEXT,
  -- A response without bytes is only its type, and has no row of its own: what most handlers answer (S2).
  empty_response TEXT CHECK (length(empty_response) <= 2048),
  -- Who ran the attempt that succeeded; all else of it is in this row, so that it has none among the attempts.
  end_session TEXT,
  -- google.rpc.Status; the bytes of its details in base64.
  error TEXT CHECK (octet_length(error) <= 16384),
  done_time BIGINT,
  delete_time BIGINT,

  -- Limits of what runs at once; 0 means none.
  type_limit BIGINT NOT NULL CHECK (type_limit >= 0),
  key_limit BIGINT NOT NULL CHECK (key_limit >= 0),
  concurrency_key TEXT COLLATE "C" NOT NULL CHECK (length(concurrency_key) <= 1024),
  priority INTEGER NOT NULL CHECK (priority BETWEEN -100 AND 100),
  supersede_key TEXT COLLATE "C" NOT NULL CHECK (length(supersede_key) <= 1024),
  rerun_of TEXT NOT NULL CHECK (length(rerun_of) <= 1024),
  unwatched_ms BIGINT NOT NULL CHECK (unwatched_ms >= 0),
  watch_deadline BIGINT,
  -- The parent links, and the counts of children: rare, and read only as a whole.
  parents JSON CHECK (octet_length(parents::TEXT) <= 65536),
  children JSON CHECK (octet_length(children::TEXT) <= 1024),
  has_own_caller SMALLINT NOT NULL CHECK (has_own_caller IN (0, 1)),

  -- Derived, for the indexes: when time alone changes the operation, and when its retention has passed.
  next_timer BIGINT,
  expire_time BIGINT,
  -- Derived: 1, waits for a worker and no slot can block it; 2, waits, and full slots block it; null, does not wait.
  start_class SMALLINT,

  PRIMARY KEY (service, tenant, name) WITH (deduplicate_items = off),
  -- The state machine in one table. CANCELLING without a lease: the work has stopped, and children are still awaited.
  CONSTRAINT s2_s5_s7_s10_state_is_whole CHECK (
    CASE state
      WHEN 'PENDING' THEN done_time IS NULL AND outcome IS NULL AND cancel IS NULL AND lease_begun IS DISTINCT FROM 1
      WHEN 'RUNNING' THEN done_time IS NULL AND outcome IS NULL AND cancel IS NULL AND lease_begun IS NOT DISTINCT FROM 1
      WHEN 'CANCELLING' THEN done_time IS NULL AND outcome IS NULL AND cancel IS NOT NULL AND (
        lease_begun IS NOT DISTINCT FROM 1
        OR (lease_session IS NULL AND children IS NOT NULL AND cancel ->> 'stopTime' IS NOT NULL)
      )
      WHEN 'SUCCEEDED' THEN done_time IS NOT NULL AND outcome IS NOT DISTINCT FROM 'response' AND lease_session IS NULL
      WHEN 'FAILED' THEN done_time IS NOT NULL AND outcome IS NOT DISTINCT FROM 'error' AND lease_session IS NULL
      WHEN 'CANCELLED' THEN done_time IS NOT NULL AND outcome IS NOT DISTINCT FROM 'error' AND lease_session IS NULL
        AND cancel IS NOT NULL
      ELSE FALSE
    END
  ),
  CONSTRAINT s2_outcome_is_whole CHECK (
    (outcome IS NULL) = (outcome_digest IS NULL)
    AND (outcome IS NOT DISTINCT FROM 'error') = (error IS NOT NULL)
    AND (expire_time IS NULL) = (done_time IS NULL)
    AND (empty_response IS NULL OR outcome IS NOT DISTINCT FROM 'response')
    AND (end_session IS NULL OR (outcome IS NOT DISTINCT FROM 'response' AND attempt_start_time IS NOT NULL))
  ),
  CONSTRAINT lease_is_whole CHECK (
    (lease_session IS NULL) = (lease_begun IS NULL) AND (lease_session IS NULL) = (lease_guarded IS NULL)
  ),
  CONSTRAINT held_is_whole_and_free CHECK (
    (held_session IS NULL) = (held_begun IS NULL)
    AND (held_session IS NULL) = (held_guarded IS NULL)
    AND (held_session IS NULL OR lease_session IS NULL)
  ),
  CONSTRAINT what_waits_has_a_start_class CHECK (
    (start_class IS NOT NULL) = (state = 'PENDING' AND lease_session IS NULL)
  ),
  CONSTRAINT s11_attempts_are_bounded CHECK (attempt BETWEEN 0 AND max_attempts),
  CONSTRAINT progress_is_whole CHECK ((progress_percent IS NULL) = (progress_message IS NULL)),
  CONSTRAINT row_is_small CHECK (
    length(name) <= 1024 AND length(parent) <= 1024 AND length(description) <= 1024 AND length(created_by) <= 1024
  )
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- Lists, newest first, in three indexes that share out the operations: a page merges those that it needs. Every update
-- writes an entry into each index that the row is in, so that a row in two of them costs a tenth more (measured). Deleted
-- operations cost a page nothing. Without deduplication: entries are alike only while older versions of a row are about,
-- and looking for them costs more than they take.
CREATE INDEX operations_list ON operations (service, tenant, parent, create_time DESC, id DESC)
  WITH (deduplicate_items = off) WHERE done_time IS NOT NULL AND delete_time IS NULL;
CREATE INDEX operations_list_deleted ON operations (service, tenant, parent, create_time DESC, id DESC)
  WITH (deduplicate_items = off) WHERE done_time IS NOT NULL AND delete_time IS NOT NULL;
-- List with done=false or an unfinished state: finds 5 running operations among millions of done ones at once. What was
-- deleted while it ran stays in it until it is done, so that live operations are counted along it, too.
CREATE INDEX operations_live ON operations (service, tenant, parent, create_time DESC, id DESC)
  WITH (deduplicate_items = off) WHERE done_time IS NULL;
-- Acquire: operations that no slot can block stand apart, so that no blocked one is in their way.
CREATE INDEX operations_start ON operations (type, priority DESC, start_after) WHERE start_class = 1;
CREATE INDEX operations_start_limited ON operations (type, priority DESC, start_after) WHERE start_class = 2;
-- The same by what limits them: thousands that wait for one slot are passed over in one step.
CREATE INDEX operations_start_group ON operations
  (type, service, tenant, type_limit, concurrency_key, key_limit, priority DESC, start_after) WHERE start_class = 2;
-- Tick: deadlines and timeouts that are due.
CREATE INDEX operations_timer ON operations (next_timer) WHERE next_timer IS NOT NULL;
-- Watch deadlines that start anew after a pause of the service.
CREATE INDEX operations_watch ON operations (watch_deadline) WHERE watch_deadline IS NOT NULL AND done_time IS NULL;
-- A start with the same supersede key cancels the others.
CREATE INDEX operations_supersede ON operations (service, tenant, type, supersede_key)
  WHERE supersede_key <> '' AND done_time IS NULL;
-- Settling a closed session; counting what a session has.
CREATE INDEX operations_lease ON operations (lease_session) WHERE lease_session IS NOT NULL;
CREATE INDEX operations_held ON operations (held_session) WHERE held_session IS NOT NULL;
-- Retention.
CREATE INDEX operations_expire ON operations (expire_time) WHERE expire_time IS NOT NULL;

CREATE FUNCTION belay_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.service <> OLD.service OR NEW.tenant <> OLD.tenant OR NEW.name <> OLD.name OR NEW.id <> OLD.id
    OR NEW.create_time <> OLD.create_time OR NEW.type <> OLD.type OR NEW.max_attempts <> OLD.max_attempts
  THEN RAISE EXCEPTION 'S1: the identity of an operation never changes'; END IF;
  IF NEW.version <= OLD.version OR NEW.revision < OLD.revision OR NEW.update_time < OLD.update_time
    OR NEW.lease_token < OLD.lease_token OR NEW.attempt < OLD.attempt
  THEN RAISE EXCEPTION 'S9, S11, S13: versions, revisions, tokens, attempts and times only grow'; END IF;
  IF OLD.cancel IS NOT NULL AND (NEW.cancel IS NULL
    OR (NEW.cancel ->> 'deadline')::BIGINT > (OLD.cancel ->> 'deadline')::BIGINT)
  THEN RAISE EXCEPTION 'S5, G3: a cancel is never taken back, and its deadline only comes earlier'; END IF;
  IF OLD.done_time IS NOT NULL AND (
    NEW.state <> OLD.state OR NEW.done_time IS DISTINCT FROM OLD.done_time
    OR NEW.expire_time IS DISTINCT FROM OLD.expire_time OR NEW.outcome IS DISTINCT FROM OLD.outcome
    OR NEW.outcome_digest IS DISTINCT FROM OLD.outcome_digest OR NEW.error IS DISTINCT FROM OLD.error
    OR NEW.empty_response IS DISTINCT FROM OLD.empty_response OR NEW.end_session IS DISTINCT FROM OLD.end_session
    OR NEW.attempt <> OLD.attempt OR NEW.progress_percent IS DISTINCT FROM OLD.progress_percent
    OR NEW.progress_message IS DISTINCT FROM OLD.progress_message)
  THEN RAISE EXCEPTION 'S1: a done operation is final'; END IF;
  IF OLD.delete_time IS NOT NULL AND NEW.delete_time IS DISTINCT FROM OLD.delete_time
  THEN RAISE EXCEPTION 'S18: a deleted operation stays deleted'; END IF;
  RETURN NEW;
END $$;
-- The function says which rule is broken; the trigger's own condition keeps it from being called for a row that breaks
-- none: the executor looks at a condition itself.
CREATE TRIGGER operations_only_forward BEFORE UPDATE ON operations FOR EACH ROW WHEN (
  (NEW.service <> OLD.service OR NEW.tenant <> OLD.tenant OR NEW.name <> OLD.name OR NEW.id <> OLD.id
    OR NEW.create_time <> OLD.create_time OR NEW.type <> OLD.type OR NEW.max_attempts <> OLD.max_attempts)
  OR (NEW.version <= OLD.version OR NEW.revision < OLD.revision OR NEW.update_time < OLD.update_time
    OR NEW.lease_token < OLD.lease_token OR NEW.attempt < OLD.attempt)
  OR (OLD.cancel IS NOT NULL AND (NEW.cancel IS NULL
    OR (NEW.cancel ->> 'deadline')::BIGINT > (OLD.cancel ->> 'deadline')::BIGINT))
  OR (OLD.done_time IS NOT NULL AND (
    NEW.state <> OLD.state OR NEW.done_time IS DISTINCT FROM OLD.done_time
    OR NEW.expire_time IS DISTINCT FROM OLD.expire_time OR NEW.outcome IS DISTINCT FROM OLD.outcome
    OR NEW.outcome_digest IS DISTINCT FROM OLD.outcome_digest OR NEW.error IS DISTINCT FROM OLD.error
    OR NEW.empty_response IS DISTINCT FROM OLD.empty_response OR NEW.end_session IS DISTINCT FROM OLD.end_session
    OR NEW.attempt <> OLD.attempt OR NEW.progress_percent IS DISTINCT FROM OLD.progress_percent
    OR NEW.progress_message IS DISTINCT FROM OLD.progress_message))
  OR (OLD.delete_time IS NOT NULL AND NEW.delete_time IS DISTINCT FROM OLD.delete_time)
) EXECUTE FUNCTION belay_forward();

CREATE FUNCTION belay_undone_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'S19: an operation that is not done is never removed';
END $$;
CREATE TRIGGER operations_undone_stays BEFORE DELETE ON operations FOR EACH ROW
  WHEN (OLD.done_time IS NULL) EXECUTE FUNCTION belay_undone_stays();

CREATE FUNCTION belay_appended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is only appended', TG_TABLE_NAME;
END $$;

-- Payloads, attempts and labels belong to an operation by its key. There are no foreign keys: each would cost a lookup
-- and a row lock per insert (measured in docs/internals/postgres.md); the same transaction writes and removes both.
CREATE TABLE payloads (
  service TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('request', 'response', 'metadata', 'checkpoint')),
  type_url TEXT NOT NULL CHECK (length(type_url) <= 2048),
  bytes BYTEA NOT NULL CHECK (length(bytes) <= CASE kind WHEN 'metadata' THEN 16384 ELSE 320000 END),
  -- How the bytes are stored: '' as they are. The key is named where they are encrypted.
  encoding TEXT NOT NULL DEFAULT '',
  key_id TEXT,
  PRIMARY KEY (service, tenant, name, kind)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE attempts (
  service TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  attempt BIGINT NOT NULL CHECK (attempt >= 1),
  session TEXT NOT NULL,
  start_time BIGINT NOT NULL,
  end_time BIGINT NOT NULL,
  outcome TEXT NOT NULL,
  error TEXT CHECK (octet_length(error) <= 16384),
  PRIMARY KEY (service, tenant, name, attempt)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE labels (
  service TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  key TEXT COLLATE "C" NOT NULL,
  value TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (service, tenant, name, key)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- S4: a request id lives as long as the operation it made.
CREATE TABLE request_keys (
  service TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  method TEXT COLLATE "C" NOT NULL,
  request_id TEXT COLLATE "C" NOT NULL,
  digest TEXT NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (service, tenant, method, request_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX request_keys_operation ON request_keys (service, tenant, name);

-- One row for each parent of a child: the child's `parents` the other way round. It goes with the child.
CREATE TABLE child_links (
  -- In the order in which they were made.
  position BIGINT GENERATED ALWAYS AS IDENTITY,
  tenant TEXT COLLATE "C" NOT NULL,
  parent_service TEXT COLLATE "C" NOT NULL,
  parent_name TEXT COLLATE "C" NOT NULL,
  service TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  policy TEXT NOT NULL CHECK (policy IN ('cancel', 'abandon', 'wait')),
  detached SMALLINT NOT NULL CHECK (detached IN (0, 1)),
  -- Derived: the parent is closed (cancelling or done), and the child was not told yet.
  to_sweep SMALLINT NOT NULL DEFAULT 0 CHECK (to_sweep IN (0, 1)),
  -- A parent's children in their order, a few of many: 0.1 ms, and 140 ms where 100,000 of them have to be sorted.
  PRIMARY KEY (tenant, parent_service, parent_name, position),
  UNIQUE (tenant, parent_service, parent_name, service, name)
);
CREATE INDEX child_links_child ON child_links (service, tenant, name);
CREATE INDEX child_links_sweep ON child_links (position) WHERE to_sweep = 1;

-- How many operations use each slot that a limit counts. A row goes when nobody uses it.
CREATE TABLE slots (
  service TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  type TEXT COLLATE "C" NOT NULL,
  -- '' for the limit of the type.
  concurrency_key TEXT COLLATE "C" NOT NULL,
  used BIGINT NOT NULL CHECK (used >= 0),
  PRIMARY KEY (service, tenant, type, concurrency_key)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Workers are not a tenant's: their rows carry neither service nor tenant.
CREATE TABLE sessions (
  session TEXT COLLATE "C" PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('embedded', 'remote')),
  worker TEXT NOT NULL,
  types TEXT NOT NULL,
  slots BIGINT NOT NULL,
  guarded SMALLINT NOT NULL CHECK (guarded IN (0, 1)),
  boot_id TEXT NOT NULL,
  lease_ms BIGINT NOT NULL,
  open_time BIGINT NOT NULL,
  heartbeat_time BIGINT NOT NULL,
  build TEXT NOT NULL,
  principal TEXT NOT NULL,
  -- The server process that has the worker's stream: it alone asks for work for this session.
  node TEXT NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE declared_types (
  type TEXT COLLATE "C" PRIMARY KEY,
  policy TEXT NOT NULL
);

-- Receipts outlive their operations. The checkpoint comes here when the operation is purged.
CREATE TABLE receipts (
  service TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  type TEXT COLLATE "C" NOT NULL,
  cancel JSON NOT NULL,
  outcome TEXT,
  done_time BIGINT,
  -- How long the cancel took, in milliseconds, where work was stopped: what the next one may take.
  stop_ms DOUBLE PRECISION,
  attempt BIGINT NOT NULL,
  session TEXT NOT NULL,
  checkpoint_type_url TEXT,
  checkpoint_bytes BYTEA,
  checkpoint_encoding TEXT,
  checkpoint_key_id TEXT,
  PRIMARY KEY (service, tenant, name),
  CHECK ((outcome IS NULL) = (done_time IS NULL)),
  CHECK ((checkpoint_type_url IS NULL) = (checkpoint_bytes IS NULL))
);
CREATE INDEX receipts_done ON receipts (done_time) WHERE done_time IS NOT NULL;
CREATE INDEX receipts_stopped ON receipts (service, tenant, type, done_time DESC) INCLUDE (stop_ms)
  WHERE stop_ms IS NOT NULL;

CREATE TABLE receipt_events (
  position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  sequence BIGINT NOT NULL,
  time BIGINT NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL CHECK (length(detail) <= 4096),
  by TEXT NOT NULL,
  on_behalf_of TEXT,
  request_id TEXT,
  chained SMALLINT NOT NULL DEFAULT 0 CHECK (chained IN (0, 1)),
  UNIQUE (service, tenant, name, sequence)
);
CREATE INDEX receipt_events_unchained ON receipt_events (position) WHERE chained = 0;
CREATE FUNCTION belay_events_appended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'receipt events are only appended, and chained once';
END $$;
-- The condition is the trigger's own: as for operations, it calls nothing unless it is broken.
CREATE TRIGGER receipt_events_are_appended BEFORE UPDATE ON receipt_events FOR EACH ROW WHEN (
  OLD.chained = 1 OR (NEW.position, NEW.service, NEW.tenant, NEW.name, NEW.sequence, NEW.time, NEW.kind, NEW.detail,
    NEW."by", NEW.on_behalf_of, NEW.request_id) IS DISTINCT FROM (OLD.position, OLD.service, OLD.tenant, OLD.name,
    OLD.sequence, OLD.time, OLD.kind, OLD.detail, OLD."by", OLD.on_behalf_of, OLD.request_id)
) EXECUTE FUNCTION belay_events_appended();

-- The chains. They outlive the receipts: what was sealed stays.
CREATE TABLE chain_entries (
  service TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  sequence BIGINT NOT NULL,
  name TEXT NOT NULL,
  content TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (service, tenant, sequence)
);
CREATE TABLE chain_checkpoints (
  service TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  sequence BIGINT NOT NULL,
  hash TEXT NOT NULL,
  time BIGINT NOT NULL,
  key_id TEXT NOT NULL,
  signature TEXT NOT NULL,
  PRIMARY KEY (service, tenant, sequence, key_id)
);
CREATE FUNCTION belay_chain_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.sequence <> 1 AND NOT EXISTS (SELECT 1 FROM chain_entries c
    WHERE c.service = NEW.service AND c.tenant = NEW.tenant AND c.sequence = NEW.sequence - 1)
  THEN RAISE EXCEPTION 'a chain goes on with its next sequence'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER chain_entries_have_no_gap BEFORE INSERT ON chain_entries FOR EACH ROW
  EXECUTE FUNCTION belay_chain_goes_on();
CREATE TRIGGER chain_entries_are_appended BEFORE UPDATE OR DELETE ON chain_entries FOR EACH ROW
  EXECUTE FUNCTION belay_appended();
CREATE TRIGGER chain_checkpoints_are_appended BEFORE UPDATE OR DELETE ON chain_checkpoints FOR EACH ROW
  EXECUTE FUNCTION belay_appended();

-- Who did what from where: one row for each mutating call of a client.
CREATE TABLE audit (
  position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service TEXT COLLATE "C" NOT NULL,
  tenant TEXT COLLATE "C" NOT NULL,
  name TEXT NOT NULL,
  time BIGINT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('start', 'cancel', 'delete', 'override')),
  principal TEXT NOT NULL,
  origin TEXT NOT NULL,
  reason TEXT NOT NULL,
  revision_before BIGINT NOT NULL,
  revision_after BIGINT NOT NULL
);
CREATE TRIGGER audit_is_appended BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION belay_appended();

-- The feed: one row for each batch with a visible change, holding all its events as arrays, in their order. A row for
-- each event would be a tenth of a whole life's cost. Event i (from 1) of a row has the position
-- `position - cardinality(names) + i`; `position` is that of the last.
CREATE TABLE feed (
  position BIGINT PRIMARY KEY,
  time BIGINT NOT NULL,
  -- Of each event. But for the names, one element stands for all of them where they are alike, as in the usual
  -- batch: half of what the row costs.
  services TEXT[] NOT NULL,
  tenants TEXT[] NOT NULL,
  names TEXT[] NOT NULL,
  types TEXT[] NOT NULL,
  revisions BIGINT[] NOT NULL,
  states TEXT[] NOT NULL,
  times BIGINT[] NOT NULL,
  -- 1: a client has deleted it.
  deleted SMALLINT[] NOT NULL
);

INSERT INTO meta (id, database_id, create_time, feed_position, feed_removed, last_instant)
VALUES (1, gen_random_uuid()::TEXT, (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT, 0, 0, 0);
