-- The whole schema of the SQLite store. Instants are microseconds since the Unix epoch; durations say their unit.
-- Every row of an operation carries (service, tenant). CHECKs and triggers restate the invariants that the engine
-- already holds (S1, S2, ...): a bug that would break one aborts its transaction instead of reaching the disk.

CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  schema_version INTEGER NOT NULL,
  create_time INTEGER NOT NULL,
  -- The newest instant of any committed batch: the clock never starts before it.
  last_instant INTEGER NOT NULL,
  -- Where wall time met this boot's clocks; while the boot lasts, time is counted from here.
  boot_id TEXT NOT NULL,
  anchor_wall INTEGER NOT NULL,
  anchor_boottime INTEGER NOT NULL,
  anchor_monotonic INTEGER NOT NULL
) STRICT;

-- Keys that seal page tokens. A new one is made when the newest is a week old; old ones stay while tokens live.
CREATE TABLE keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  purpose TEXT NOT NULL CHECK (purpose IN ('page-token')),
  bytes BLOB NOT NULL CHECK (length(bytes) = 32),
  create_time INTEGER NOT NULL
) STRICT;

-- The hot row. A rowid table: rows are several hundred bytes, too wide for the interior pages of WITHOUT ROWID.
CREATE TABLE operations (
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  id TEXT NOT NULL,
  parent TEXT NOT NULL,
  type TEXT NOT NULL,
  state TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  create_time INTEGER NOT NULL,
  update_time INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  description TEXT NOT NULL,

  -- The policy, resolved when the operation started.
  cancellable INTEGER NOT NULL CHECK (cancellable IN (0, 1)),
  grace_ms INTEGER NOT NULL,
  critical_ms INTEGER NOT NULL,
  cleanup_ms INTEGER NOT NULL,
  kill_ms INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  backoff_ms INTEGER NOT NULL,
  backoff_max_ms INTEGER NOT NULL,
  attempt_timeout_ms INTEGER NOT NULL,
  stall_timeout_ms INTEGER NOT NULL,
  retention_ms INTEGER NOT NULL CHECK (retention_ms >= 0),
  on_delete TEXT NOT NULL CHECK (on_delete = 'keep' OR on_delete = 'cancel' OR on_delete = 'refuse'),

  start_after INTEGER NOT NULL,
  deadline INTEGER,
  attempt INTEGER NOT NULL,
  -- The last lease token granted; it is also the token of the lease, or of what is held.
  lease_token INTEGER NOT NULL,
  lease_session TEXT,
  lease_begun INTEGER CHECK (lease_begun IN (0, 1)),
  lease_guarded INTEGER CHECK (lease_guarded IN (0, 1)),
  -- The lease of an attempt that was taken away and may still run.
  held_session TEXT,
  held_begun INTEGER CHECK (held_begun IN (0, 1)),
  held_guarded INTEGER CHECK (held_guarded IN (0, 1)),
  attempt_start_time INTEGER,
  activity_time INTEGER,
  progress_percent REAL,
  progress_message TEXT CHECK (length(progress_message) <= 1024),
  -- JSON of the cancel request: rare, and read only as a whole.
  cancel TEXT CHECK (length(CAST(cancel AS BLOB)) <= 8192),
  outcome TEXT,
  outcome_digest TEXT,
  -- JSON of google.rpc.Status; the bytes of its details in base64.
  error TEXT CHECK (length(CAST(error AS BLOB)) <= 16384),
  done_time INTEGER,
  delete_time INTEGER,

  -- Derived, for the indexes: when time alone changes the operation, and when its retention has passed.
  next_timer INTEGER,
  expire_time INTEGER,

  UNIQUE (service, tenant, name),
  -- The state machine in one table. CASE and OR, never IN (...): SQLite builds a temporary index for a list of three
  -- or more each time a statement runs, which doubled the cost of an insert (23 instead of 13 us).
  CONSTRAINT s2_s5_s7_s10_state_is_whole CHECK (
    CASE state
      WHEN 'PENDING' THEN done_time IS NULL AND outcome IS NULL AND cancel IS NULL AND lease_begun IS NOT 1
      WHEN 'RUNNING' THEN done_time IS NULL AND outcome IS NULL AND cancel IS NULL AND lease_begun IS 1
      WHEN 'CANCELLING' THEN done_time IS NULL AND outcome IS NULL AND cancel IS NOT NULL AND lease_begun IS 1
      WHEN 'SUCCEEDED' THEN done_time IS NOT NULL AND outcome IS 'response' AND lease_session IS NULL
      WHEN 'FAILED' THEN done_time IS NOT NULL AND outcome IS 'error' AND lease_session IS NULL
      WHEN 'CANCELLED' THEN done_time IS NOT NULL AND outcome IS 'error' AND lease_session IS NULL AND cancel IS NOT NULL
      ELSE FALSE
    END
  ),
  CONSTRAINT s2_outcome_is_whole CHECK (
    (outcome IS NULL) = (outcome_digest IS NULL)
    AND (outcome IS 'error') = (error IS NOT NULL)
    AND (expire_time IS NULL) = (done_time IS NULL)
  ),
  CONSTRAINT lease_is_whole CHECK (
    (lease_session IS NULL) = (lease_begun IS NULL) AND (lease_session IS NULL) = (lease_guarded IS NULL)
  ),
  CONSTRAINT held_is_whole_and_free CHECK (
    (held_session IS NULL) = (held_begun IS NULL)
    AND (held_session IS NULL) = (held_guarded IS NULL)
    AND (held_session IS NULL OR lease_session IS NULL)
  ),
  CONSTRAINT s11_attempts_are_bounded CHECK (attempt BETWEEN 0 AND max_attempts),
  CONSTRAINT progress_is_whole CHECK ((progress_percent IS NULL) = (progress_message IS NULL)),
  CONSTRAINT row_is_small CHECK (
    length(name) <= 1024 AND length(parent) <= 1024 AND length(description) <= 1024 AND length(created_by) <= 1024
  )
) STRICT;

-- List, newest first. Deleted operations leave it, so that they cost a page nothing.
CREATE INDEX operations_list ON operations (service, tenant, parent, create_time DESC, id DESC)
  WHERE delete_time IS NULL;
-- List with done=false or an unfinished state: finds 5 running operations among millions of done ones at once,
-- where a bounded scan would give thousands of empty pages. It holds unfinished operations only, so it stays small.
CREATE INDEX operations_live ON operations (service, tenant, parent, create_time DESC, id DESC)
  WHERE done_time IS NULL AND delete_time IS NULL;
-- Acquire: due pending operations of one type, oldest start first.
CREATE INDEX operations_start ON operations (type, start_after) WHERE state = 'PENDING' AND lease_session IS NULL;
-- Tick: deadlines and timeouts that are due.
CREATE INDEX operations_timer ON operations (next_timer) WHERE next_timer IS NOT NULL;
-- Settling a closed session.
CREATE INDEX operations_lease ON operations (lease_session) WHERE lease_session IS NOT NULL;
CREATE INDEX operations_held ON operations (held_session) WHERE held_session IS NOT NULL;
-- Retention.
CREATE INDEX operations_expire ON operations (expire_time) WHERE expire_time IS NOT NULL;
-- A full disk: deleted operations go first.
CREATE INDEX operations_deleted ON operations (delete_time) WHERE delete_time IS NOT NULL AND done_time IS NOT NULL;

CREATE TRIGGER operations_identity_is_fixed
BEFORE UPDATE OF service, tenant, name, id, parent, type, create_time, created_by, max_attempts, retention_ms ON operations
BEGIN
  SELECT RAISE(ABORT, 'S1: the identity of an operation never changes');
END;

-- One trigger, not one for each rule: each would add 3 us to every update.
CREATE TRIGGER operations_only_forward
BEFORE UPDATE OF state, revision, update_time, attempt, lease_token, progress_percent, progress_message, cancel,
  outcome, outcome_digest, error, done_time, expire_time
ON operations
WHEN NEW.revision < OLD.revision
  OR NEW.update_time < OLD.update_time
  OR NEW.lease_token < OLD.lease_token
  OR NEW.attempt < OLD.attempt
  OR (OLD.cancel IS NOT NULL AND (NEW.cancel IS NULL OR NEW.cancel ->> 'deadline' > OLD.cancel ->> 'deadline'))
  OR (
    OLD.done_time IS NOT NULL AND (
      NEW.state <> OLD.state
      OR NEW.done_time IS NOT OLD.done_time
      OR NEW.expire_time IS NOT OLD.expire_time
      OR NEW.outcome IS NOT OLD.outcome
      OR NEW.outcome_digest IS NOT OLD.outcome_digest
      OR NEW.error IS NOT OLD.error
      OR NEW.attempt <> OLD.attempt
      OR NEW.progress_percent IS NOT OLD.progress_percent
      OR NEW.progress_message IS NOT OLD.progress_message
    )
  )
BEGIN
  SELECT CASE
    WHEN OLD.cancel IS NOT NULL AND NEW.cancel IS NULL THEN RAISE(ABORT, 'S5: a cancel is never taken back')
    WHEN NEW.lease_token < OLD.lease_token THEN RAISE(ABORT, 'S9: a lease token only grows')
    WHEN NEW.revision < OLD.revision OR NEW.update_time < OLD.update_time
      THEN RAISE(ABORT, 'S13: revision and update time only grow')
    WHEN OLD.done_time IS NOT NULL THEN RAISE(ABORT, 'S1: a done operation is final')
    ELSE RAISE(ABORT, 'G3, S11: a cancel deadline only comes earlier, attempts only grow')
  END;
END;

CREATE TRIGGER operations_s18_delete_is_final
BEFORE UPDATE OF delete_time ON operations
WHEN OLD.delete_time IS NOT NULL AND NEW.delete_time IS NOT OLD.delete_time
BEGIN
  SELECT RAISE(ABORT, 'S18: a deleted operation stays deleted');
END;

CREATE TRIGGER operations_s19_undone_stays
BEFORE DELETE ON operations
WHEN OLD.done_time IS NULL
BEGIN
  SELECT RAISE(ABORT, 'S19: an operation that is not done is never removed');
END;

CREATE TABLE payloads (
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind = 'request' OR kind = 'response' OR kind = 'metadata' OR kind = 'checkpoint'),
  type_url TEXT NOT NULL CHECK (length(type_url) <= 2048),
  -- With the row's own limits: a stored operation is at most 1 MiB.
  bytes BLOB NOT NULL CHECK (length(bytes) <= CASE kind WHEN 'metadata' THEN 16384 ELSE 320000 END),
  -- How the bytes are stored: '' as they are. The key is named where they are encrypted.
  encoding TEXT NOT NULL DEFAULT '',
  key_id TEXT,
  PRIMARY KEY (service, tenant, name, kind),
  FOREIGN KEY (service, tenant, name) REFERENCES operations (service, tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  attempt INTEGER NOT NULL CHECK (attempt >= 1),
  session TEXT NOT NULL,
  start_time INTEGER NOT NULL,
  end_time INTEGER NOT NULL,
  -- SUCCEEDED, FAILED, RETRIED, LEASE_EXPIRED, RELEASED, CANCELLED or TIMED_OUT.
  outcome TEXT NOT NULL,
  error TEXT CHECK (length(CAST(error AS BLOB)) <= 16384),
  PRIMARY KEY (service, tenant, name, attempt),
  FOREIGN KEY (service, tenant, name) REFERENCES operations (service, tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE labels (
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (service, tenant, name, key),
  FOREIGN KEY (service, tenant, name) REFERENCES operations (service, tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- S4: a request id lives as long as the operation it made.
CREATE TABLE request_keys (
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  method TEXT NOT NULL,
  request_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (service, tenant, method, request_id),
  FOREIGN KEY (service, tenant, name) REFERENCES operations (service, tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
-- The cascade finds the keys of a purged operation.
CREATE INDEX request_keys_operation ON request_keys (service, tenant, name);

-- Workers are not a tenant's: their rows carry neither service nor tenant.
CREATE TABLE sessions (
  session TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('embedded', 'remote')),
  worker TEXT NOT NULL,
  types TEXT NOT NULL,
  slots INTEGER NOT NULL,
  guarded INTEGER NOT NULL CHECK (guarded IN (0, 1)),
  boot_id TEXT NOT NULL,
  lease_ms INTEGER NOT NULL,
  open_time INTEGER NOT NULL,
  heartbeat_time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Receipts outlive their operations: no foreign key. The checkpoint comes here when the operation is purged.
CREATE TABLE receipts (
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  cancel TEXT NOT NULL,
  outcome TEXT,
  done_time INTEGER,
  attempt INTEGER NOT NULL,
  session TEXT NOT NULL,
  checkpoint_type_url TEXT,
  checkpoint_bytes BLOB,
  checkpoint_encoding TEXT,
  checkpoint_key_id TEXT,
  PRIMARY KEY (service, tenant, name),
  CHECK ((outcome IS NULL) = (done_time IS NULL)),
  CHECK ((checkpoint_type_url IS NULL) = (checkpoint_bytes IS NULL))
) STRICT, WITHOUT ROWID;
-- Their own retention.
CREATE INDEX receipts_done ON receipts (done_time) WHERE done_time IS NOT NULL;

CREATE TABLE receipt_events (
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  time INTEGER NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL CHECK (length(detail) <= 4096),
  by TEXT NOT NULL,
  PRIMARY KEY (service, tenant, name, sequence),
  FOREIGN KEY (service, tenant, name) REFERENCES receipts (service, tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TRIGGER receipt_events_are_appended
BEFORE UPDATE ON receipt_events
BEGIN
  SELECT RAISE(ABORT, 'receipt events are only appended');
END;

-- Who did what from where: one row for each mutating call of a client.
CREATE TABLE audit (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  time INTEGER NOT NULL,
  action TEXT NOT NULL CHECK (action = 'start' OR action = 'cancel' OR action = 'delete'),
  principal TEXT NOT NULL,
  origin TEXT NOT NULL,
  reason TEXT NOT NULL,
  revision_before INTEGER NOT NULL,
  revision_after INTEGER NOT NULL
) STRICT;

CREATE TRIGGER audit_is_appended
BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'audit rows are only appended');
END;

-- One row for each visible change, in commit order. AUTOINCREMENT: a position is never given twice, not even after
-- a purge of the newest rows, so that a resume token can never point at another event.
CREATE TABLE feed (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  revision INTEGER NOT NULL,
  state TEXT NOT NULL,
  time INTEGER NOT NULL
) STRICT;
