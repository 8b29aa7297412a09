-- What an execution's data takes once it is packed, whether it is, and a number that grows with every batch that is
-- written: by it a prune tells what was there before it began.
ALTER TABLE executions ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executions ADD COLUMN packed INTEGER NOT NULL DEFAULT 0 CHECK (packed IN (0, 1));
ALTER TABLE executions ADD COLUMN written INTEGER NOT NULL DEFAULT 0;

-- All payloads and nodes of an execution that ended, as JSON compressed by Zstandard; the other columns are empty then.
ALTER TABLE execution_payloads ADD COLUMN packed BLOB;

CREATE TABLE write_mark (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    mark INTEGER NOT NULL
);
INSERT INTO write_mark (id, mark) VALUES (1, 0);

CREATE INDEX executions_by_source ON executions (source, started_at, id);
-- Most executions are fulfilled: only the others need an index to be found by how they ended.
CREATE INDEX executions_by_status ON executions (status, started_at, id) WHERE status IN ('error', 'aborted');
-- Its condition is written in other words, so that nobody takes the index above for a list of one flow.
CREATE INDEX executions_by_flow_status ON executions (flow_id, status, started_at, id)
    WHERE status NOT IN ('pending', 'fulfilled');
CREATE INDEX executions_pending_of_flow ON executions (flow_id, started_at, id) WHERE deadline_at IS NOT NULL;
CREATE INDEX executions_pending_of_instance ON executions (instance_id, id) WHERE deadline_at IS NOT NULL;
CREATE INDEX executions_unpacked ON executions (ended_at) WHERE packed = 0 AND ended_at IS NOT NULL;

-- Statistics by flow and hour, day and all time, in UTC, kept in the transactions that change the rows they count. The
-- flow with the nil id stands for all flows; `bucket` is when the hour or day began, 0 for all time. A slot belongs to
-- one process while it lives; readers add up the slots. What happened is counted in the first columns and never taken
-- away; what was deleted of it since is counted in those that begin with `removed`. `durations` is a histogram.
DROP TABLE flow_stats;
CREATE TABLE flow_stats (
    flow_id             BLOB    NOT NULL,
    period              TEXT    NOT NULL CHECK (period IN ('all', 'day', 'hour')),
    bucket              INTEGER NOT NULL,
    slot                INTEGER NOT NULL,
    pending             INTEGER NOT NULL,
    fulfilled           INTEGER NOT NULL,
    error               INTEGER NOT NULL,
    aborted             INTEGER NOT NULL,
    duration_us         INTEGER NOT NULL,
    bytes               INTEGER NOT NULL,
    removed_fulfilled   INTEGER NOT NULL,
    removed_error       INTEGER NOT NULL,
    removed_aborted     INTEGER NOT NULL,
    removed_duration_us INTEGER NOT NULL,
    removed_bytes       INTEGER NOT NULL,
    last_recorded_at    INTEGER,
    -- The wide ones last: what reads only numbers stops before them.
    durations           BLOB    NOT NULL,
    removed_durations   BLOB    NOT NULL,
    PRIMARY KEY (flow_id, period, bucket, slot)
) WITHOUT ROWID;

-- Statistics that must be counted anew from the rows: set by a migration, cleared by the program when it has done so.
CREATE TABLE recount_wanted (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1)
);
INSERT INTO recount_wanted (id) SELECT 1 WHERE EXISTS (SELECT 1 FROM executions);

-- Flows whose older executions are taken out of every answer while their rows are being deleted: those that ended, were
-- last written up to `mark` and stand below a place (all of them when it is NULL). The `edge` columns count what is left
-- of them in the hour of that place, from its beginning.
CREATE TABLE prunes (
    flow_id          BLOB    NOT NULL PRIMARY KEY,
    mark             INTEGER NOT NULL,
    below_at         INTEGER,
    below_id         BLOB,
    resume_at        INTEGER,
    resume_id        BLOB,
    edge_fulfilled   INTEGER NOT NULL,
    edge_error       INTEGER NOT NULL,
    edge_aborted     INTEGER NOT NULL,
    edge_duration_us INTEGER NOT NULL,
    edge_bytes       INTEGER NOT NULL,
    edge_durations   BLOB    NOT NULL
) WITHOUT ROWID;

-- What was added, since a flow's prune began, to the statistics of hours before that of its place: it stays.
CREATE TABLE prune_late (
    flow_id     BLOB    NOT NULL,
    bucket      INTEGER NOT NULL,
    slot        INTEGER NOT NULL,
    fulfilled   INTEGER NOT NULL,
    error       INTEGER NOT NULL,
    aborted     INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    durations   BLOB    NOT NULL,
    PRIMARY KEY (flow_id, bucket, slot)
) WITHOUT ROWID;

-- What processes on one database tell each other: the ids of what each batch wrote to. Short, and kept only while there is
-- more than one process.
CREATE TABLE write_log (
    mark       INTEGER NOT NULL PRIMARY KEY,
    writer     BLOB    NOT NULL,
    executions BLOB    NOT NULL
);

-- Retention rules of a flow, as JSON; NULL for the server's.
ALTER TABLE flows ADD COLUMN retention TEXT;

-- The statistics of stored executions, added up and readable.
CREATE VIEW history_stats AS
SELECT lower(hex(flow_id)) AS flow_id,
       period,
       CASE period WHEN 'all' THEN NULL
           ELSE strftime('%Y-%m-%dT%H:%M:%SZ', bucket / 1000000, 'unixepoch') END AS begun_at,
       sum(pending) AS pending,
       sum(fulfilled - removed_fulfilled) AS fulfilled,
       sum(error - removed_error) AS error,
       sum(aborted - removed_aborted) AS aborted,
       sum(duration_us - removed_duration_us) / 1000.0 AS duration_ms,
       sum(bytes - removed_bytes) AS bytes
FROM flow_stats
GROUP BY flow_id, period, bucket;
