-- Workers on other machines, children, limits, watches and sealed receipts. Runs with foreign keys off (migrator.ts):
-- a table whose CHECKs change is made anew, and dropping the old one would take what refers to it along.

-- Every cancel gets its new fields; a cancel of before was made by a caller for himself, and held nothing back.
-- (The triggers of 0001 go with their tables; `receipts` has none.)
UPDATE receipts SET cancel =
  json_set(cancel, '$.onBehalfOf', '', '$.requestId', '', '$.force', json('false'), '$.deferredBy', NULL);

CREATE TABLE operations_2 (
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
  cancel TEXT CHECK (length(CAST(cancel AS BLOB)) <= 16384),
  outcome TEXT,
  outcome_digest TEXT,
  -- JSON of google.rpc.Status; the bytes of its details in base64.
  error TEXT CHECK (length(CAST(error AS BLOB)) <= 16384),
  done_time INTEGER,
  delete_time INTEGER,

  -- Limits of what runs at once; 0 means none.
  type_limit INTEGER NOT NULL CHECK (type_limit >= 0),
  key_limit INTEGER NOT NULL CHECK (key_limit >= 0),
  concurrency_key TEXT NOT NULL CHECK (length(concurrency_key) <= 1024),
  priority INTEGER NOT NULL CHECK (priority BETWEEN -100 AND 100),
  supersede_key TEXT NOT NULL CHECK (length(supersede_key) <= 1024),
  rerun_of TEXT NOT NULL CHECK (length(rerun_of) <= 1024),
  unwatched_ms INTEGER NOT NULL CHECK (unwatched_ms >= 0),
  watch_deadline INTEGER,
  -- JSON of the parent links, and of the counts of children: rare, and read only as a whole.
  parents TEXT CHECK (length(CAST(parents AS BLOB)) <= 65536),
  children TEXT CHECK (length(children) <= 1024),
  has_own_caller INTEGER NOT NULL CHECK (has_own_caller IN (0, 1)),

  -- Derived, for the indexes: when time alone changes the operation, and when its retention has passed.
  next_timer INTEGER,
  expire_time INTEGER,
  -- Derived: 1, waits for a worker and no slot can block it; 2, waits, and full slots block it; null, does not wait.
  start_class INTEGER,

  UNIQUE (service, tenant, name),
  -- The state machine in one table. CASE and OR, never IN (...): SQLite builds a temporary index for a list of three
  -- or more each time a statement runs, which doubled the cost of an insert (23 instead of 13 us).
  -- CANCELLING without a lease: the work has stopped, and children are still awaited.
  CONSTRAINT s2_s5_s7_s10_state_is_whole CHECK (
    CASE state
      WHEN 'PENDING' THEN done_time IS NULL AND outcome IS NULL AND cancel IS NULL AND lease_begun IS NOT 1
      WHEN 'RUNNING' THEN done_time IS NULL AND outcome IS NULL AND cancel IS NULL AND lease_begun IS 1
      WHEN 'CANCELLING' THEN done_time IS NULL AND outcome IS NULL AND cancel IS NOT NULL AND (
        lease_begun IS 1
        OR (lease_session IS NULL AND children IS NOT NULL AND cancel ->> 'stopTime' IS NOT NULL)
      )
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
  CONSTRAINT what_waits_has_a_start_class CHECK (
    (start_class IS NOT NULL) = (state = 'PENDING' AND lease_session IS NULL)
  ),
  CONSTRAINT s11_attempts_are_bounded CHECK (attempt BETWEEN 0 AND max_attempts),
  CONSTRAINT progress_is_whole CHECK ((progress_percent IS NULL) = (progress_message IS NULL)),
  CONSTRAINT row_is_small CHECK (
    length(name) <= 1024 AND length(parent) <= 1024 AND length(description) <= 1024 AND length(created_by) <= 1024
  )
) STRICT;

INSERT INTO operations_2
SELECT
  service, tenant, name, id, parent, type, state, revision, create_time, update_time, created_by, description,
  cancellable, grace_ms, critical_ms, cleanup_ms, kill_ms, max_attempts, backoff_ms, backoff_max_ms,
  attempt_timeout_ms, stall_timeout_ms, retention_ms, on_delete, start_after, deadline, attempt, lease_token,
  lease_session, lease_begun, lease_guarded, held_session, held_begun, held_guarded, attempt_start_time,
  activity_time, progress_percent, progress_message,
  CASE WHEN cancel IS NOT NULL THEN
    json_set(cancel, '$.onBehalfOf', '', '$.requestId', '', '$.force', json('false'), '$.deferredBy', NULL)
  END,
  outcome, outcome_digest, error, done_time, delete_time,
  0, 0, '', 0, '', '', 0, NULL, NULL, NULL, 1,
  next_timer, expire_time, CASE WHEN state = 'PENDING' AND lease_session IS NULL THEN 1 END
FROM operations ORDER BY rowid;

DROP TABLE operations;
ALTER TABLE operations_2 RENAME TO operations;

-- List, newest first. Deleted operations leave it, so that they cost a page nothing; show_deleted merges both.
CREATE INDEX operations_list ON operations (service, tenant, parent, create_time DESC, id DESC)
  WHERE delete_time IS NULL;
CREATE INDEX operations_list_deleted ON operations (service, tenant, parent, create_time DESC, id DESC)
  WHERE delete_time IS NOT NULL;
-- List with done=false or an unfinished state: finds 5 running operations among millions of done ones at once,
-- where a bounded scan would give thousands of empty pages. It holds unfinished operations only, so it stays small.
CREATE INDEX operations_live ON operations (service, tenant, parent, create_time DESC, id DESC)
  WHERE done_time IS NULL AND delete_time IS NULL;
-- Acquire. Operations that no slot can block (one that is held has its slots already) stand apart, so that no blocked
-- one is in their way. The class comes first, so that no walk has to look at a row.
CREATE INDEX operations_start ON operations (start_class, type, service, priority DESC, start_after)
  WHERE start_class = 1;
-- Those with a limit, in the order in which they start; it holds all that tells whether one is blocked.
CREATE INDEX operations_start_limited ON operations
  (start_class, type, service, priority DESC, start_after, tenant, concurrency_key, type_limit, key_limit, deadline)
  WHERE start_class = 2;
-- The same by what limits them: thousands that are blocked by one slot are stepped over at once.
CREATE INDEX operations_start_slot ON operations
  (start_class, type, service, tenant, type_limit, concurrency_key, key_limit, priority DESC, start_after, deadline)
  WHERE start_class = 2;
-- Tick: deadlines and timeouts that are due.
CREATE INDEX operations_timer ON operations (next_timer) WHERE next_timer IS NOT NULL;
-- Watch deadlines that start anew after a pause of the service.
CREATE INDEX operations_watch ON operations (watch_deadline) WHERE watch_deadline IS NOT NULL AND done_time IS NULL;
-- A start with the same supersede key cancels the others.
CREATE INDEX operations_supersede ON operations (service, tenant, type, supersede_key)
  WHERE supersede_key <> '' AND done_time IS NULL;
-- Settling a closed session; counting what a session has.
CREATE INDEX operations_lease ON operations (lease_session, lease_begun) WHERE lease_session IS NOT NULL;
CREATE INDEX operations_held ON operations (held_session) WHERE held_session IS NOT NULL;
-- Retention.
CREATE INDEX operations_expire ON operations (expire_time) WHERE expire_time IS NOT NULL;
-- A full disk: deleted operations go first.
CREATE INDEX operations_deleted ON operations (delete_time) WHERE delete_time IS NOT NULL AND done_time IS NOT NULL;

CREATE TRIGGER operations_identity_is_fixed
BEFORE UPDATE OF service, tenant, name, id, parent, type, create_time, created_by, max_attempts, retention_ms,
  type_limit, key_limit, concurrency_key, priority, supersede_key, rerun_of, unwatched_ms
ON operations
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

-- One row for each parent of a child: the child's `parents` the other way round. It goes with the child.
CREATE TABLE child_links (
  -- In the order in which they were made.
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  parent_service TEXT NOT NULL,
  parent_name TEXT NOT NULL,
  service TEXT NOT NULL,
  name TEXT NOT NULL,
  policy TEXT NOT NULL CHECK (policy = 'cancel' OR policy = 'abandon' OR policy = 'wait'),
  detached INTEGER NOT NULL CHECK (detached IN (0, 1)),
  -- Derived: the parent is closed (cancelling or done), and the child was not told yet.
  to_sweep INTEGER NOT NULL DEFAULT 0 CHECK (to_sweep IN (0, 1)),
  UNIQUE (tenant, parent_service, parent_name, service, name),
  FOREIGN KEY (service, tenant, name) REFERENCES operations (service, tenant, name) ON DELETE CASCADE
) STRICT;
CREATE INDEX child_links_child ON child_links (service, tenant, name);
CREATE INDEX child_links_sweep ON child_links (position) WHERE to_sweep = 1;

-- How many operations use each slot that a limit counts. A row goes when nobody uses it.
CREATE TABLE slots (
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  type TEXT NOT NULL,
  -- '' for the limit of the type.
  concurrency_key TEXT NOT NULL,
  used INTEGER NOT NULL CHECK (used >= 1),
  PRIMARY KEY (service, tenant, type, concurrency_key)
) STRICT, WITHOUT ROWID;

-- How many operations are live. Kept by each commit: counting them would read them all.
CREATE TABLE live_counts (
  service TEXT NOT NULL,
  type TEXT NOT NULL,
  state TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (service, type, state)
) STRICT, WITHOUT ROWID;
INSERT INTO live_counts
  SELECT service, type, state, count(*) FROM operations WHERE done_time IS NULL GROUP BY service, type, state;

ALTER TABLE sessions ADD COLUMN build TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN principal TEXT NOT NULL DEFAULT '';

-- The types that remote workers declared; the policy is JSON.
CREATE TABLE declared_types (
  type TEXT PRIMARY KEY,
  policy TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How long the cancel took, in milliseconds, where work was stopped: what the next one may take.
ALTER TABLE receipts ADD COLUMN stop_ms REAL;
UPDATE receipts SET stop_ms = (done_time - (cancel ->> 'requestTime')) / 1000.0
  WHERE done_time IS NOT NULL AND cancel ->> 'stopTime' IS NOT NULL AND cancel ->> 'evidence' <> 'NEVER_STARTED';
CREATE INDEX receipts_stopped ON receipts (service, tenant, type, done_time DESC, stop_ms) WHERE stop_ms IS NOT NULL;

-- Receipt events get a place among all events of the store, in commit order, and are sealed into a chain by it.
CREATE TABLE receipt_events_2 (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  time INTEGER NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL CHECK (length(detail) <= 4096),
  by TEXT NOT NULL,
  on_behalf_of TEXT,
  request_id TEXT,
  chained INTEGER NOT NULL DEFAULT 0 CHECK (chained IN (0, 1)),
  UNIQUE (service, tenant, name, sequence),
  FOREIGN KEY (service, tenant, name) REFERENCES receipts (service, tenant, name) ON DELETE CASCADE
) STRICT;
INSERT INTO receipt_events_2 (service, tenant, name, sequence, time, kind, detail, by)
  SELECT service, tenant, name, sequence, time, kind, detail, by FROM receipt_events
  ORDER BY time, service, tenant, name, sequence;
DROP TABLE receipt_events;
ALTER TABLE receipt_events_2 RENAME TO receipt_events;
CREATE INDEX receipt_events_unchained ON receipt_events (position) WHERE chained = 0;

CREATE TRIGGER receipt_events_are_appended
BEFORE UPDATE OF position, service, tenant, name, sequence, time, kind, detail, by, on_behalf_of, request_id
ON receipt_events
BEGIN
  SELECT RAISE(ABORT, 'receipt events are only appended');
END;

CREATE TRIGGER receipt_events_stay_chained
BEFORE UPDATE OF chained ON receipt_events
WHEN OLD.chained = 1
BEGIN
  SELECT RAISE(ABORT, 'a receipt event is chained once');
END;

-- The chains. They outlive the receipts: what was sealed stays.
CREATE TABLE chain_entries (
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  name TEXT NOT NULL,
  content TEXT NOT NULL,
  hash TEXT NOT NULL,
  UNIQUE (service, tenant, sequence)
) STRICT;

CREATE TABLE chain_checkpoints (
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  hash TEXT NOT NULL,
  time INTEGER NOT NULL,
  key_id TEXT NOT NULL,
  signature TEXT NOT NULL,
  PRIMARY KEY (service, tenant, sequence, key_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER chain_entries_have_no_gap
BEFORE INSERT ON chain_entries
WHEN NEW.sequence <> 1 + coalesce(
  (SELECT max(sequence) FROM chain_entries WHERE service = NEW.service AND tenant = NEW.tenant), 0)
BEGIN
  SELECT RAISE(ABORT, 'a chain goes on with its next sequence');
END;
CREATE TRIGGER chain_entries_are_appended BEFORE UPDATE ON chain_entries
BEGIN
  SELECT RAISE(ABORT, 'chain entries are only appended');
END;
CREATE TRIGGER chain_entries_stay BEFORE DELETE ON chain_entries
BEGIN
  SELECT RAISE(ABORT, 'chain entries stay');
END;
CREATE TRIGGER chain_checkpoints_are_appended BEFORE UPDATE ON chain_checkpoints
BEGIN
  SELECT RAISE(ABORT, 'checkpoints are only appended');
END;
CREATE TRIGGER chain_checkpoints_stay BEFORE DELETE ON chain_checkpoints
BEGIN
  SELECT RAISE(ABORT, 'checkpoints stay');
END;

-- An operator's override is audited, too.
CREATE TABLE audit_2 (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  service TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  time INTEGER NOT NULL,
  action TEXT NOT NULL CHECK (action = 'start' OR action = 'cancel' OR action = 'delete' OR action = 'override'),
  principal TEXT NOT NULL,
  origin TEXT NOT NULL,
  reason TEXT NOT NULL,
  revision_before INTEGER NOT NULL,
  revision_after INTEGER NOT NULL
) STRICT;
INSERT INTO audit_2 SELECT * FROM audit ORDER BY position;
-- No position is given twice, not even that of a row that was purged.
DELETE FROM sqlite_sequence WHERE name = 'audit_2';
INSERT INTO sqlite_sequence (name, seq) SELECT 'audit_2', seq FROM sqlite_sequence WHERE name = 'audit';
DROP TABLE audit;
ALTER TABLE audit_2 RENAME TO audit;

CREATE TRIGGER audit_is_appended
BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'audit rows are only appended');
END;

-- The last position that retention took from the feed: a watch that resumes before it has missed events.
ALTER TABLE meta ADD COLUMN feed_removed INTEGER NOT NULL DEFAULT 0;
-- Where the feed has lost rows already: all before the oldest one, or all of it.
UPDATE meta SET feed_removed = coalesce(
  (SELECT min(position) - 1 FROM feed), (SELECT seq FROM sqlite_sequence WHERE name = 'feed'), 0);
