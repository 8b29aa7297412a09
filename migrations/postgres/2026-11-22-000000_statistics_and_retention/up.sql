-- What an execution's data takes once it is packed, whether it is, and a number that grows with every batch that is
-- written: by it a prune tells what was there before it began.
ALTER TABLE executions
    ADD COLUMN bytes   bigint  NOT NULL DEFAULT 0,
    ADD COLUMN packed  boolean NOT NULL DEFAULT false,
    ADD COLUMN written bigint  NOT NULL DEFAULT 0;

-- All payloads and nodes of an execution that ended, as JSON compressed by Zstandard; the other columns are empty then.
ALTER TABLE execution_payloads ADD COLUMN packed bytea;
-- It is compressed already.
ALTER TABLE execution_payloads ALTER COLUMN packed SET STORAGE EXTERNAL;

CREATE SEQUENCE write_mark;

CREATE INDEX executions_by_source ON executions (source, started_at, id);
-- Most executions are fulfilled: only the others need an index to be found by how they ended.
CREATE INDEX executions_by_status ON executions (status, started_at, id) WHERE status IN ('error', 'aborted');
-- Its condition is written in other words, so that nobody takes the index above for a list of one flow.
CREATE INDEX executions_by_flow_status ON executions (flow_id, status, started_at, id)
    WHERE status NOT IN ('pending', 'fulfilled');
CREATE INDEX executions_pending_of_flow ON executions (flow_id, started_at, id) WHERE deadline_at IS NOT NULL;
CREATE INDEX executions_pending_of_instance ON executions (instance_id, id) WHERE deadline_at IS NOT NULL;
CREATE INDEX executions_unpacked ON executions (ended_at) WHERE NOT packed AND ended_at IS NOT NULL;

-- Statistics by flow and hour, day and all time, in UTC, kept in the transactions that change the rows they count. The
-- flow with the nil id stands for all flows; `bucket` is when the hour or day began, the beginning of 1970 for all time.
-- A slot belongs to one process while it lives; readers add up the slots. What happened is counted in the first columns
-- and never taken away; what was deleted of it since is counted in those that begin with `removed`. `durations` is a
-- histogram.
DROP TABLE flow_stats;
CREATE TABLE flow_stats (
    flow_id             uuid        NOT NULL,
    period              text        NOT NULL CHECK (period IN ('all', 'day', 'hour')),
    bucket              timestamptz NOT NULL,
    slot                integer     NOT NULL,
    pending             bigint      NOT NULL,
    fulfilled           bigint      NOT NULL,
    error               bigint      NOT NULL,
    aborted             bigint      NOT NULL,
    duration_us         bigint      NOT NULL,
    bytes               bigint      NOT NULL,
    removed_fulfilled   bigint      NOT NULL,
    removed_error       bigint      NOT NULL,
    removed_aborted     bigint      NOT NULL,
    removed_duration_us bigint      NOT NULL,
    removed_bytes       bigint      NOT NULL,
    last_recorded_at    timestamptz,
    -- The wide ones last: what reads only numbers stops before them.
    durations           bytea       NOT NULL,
    removed_durations   bytea       NOT NULL,
    PRIMARY KEY (flow_id, period, bucket, slot)
) WITH (fillfactor = 70);

-- Statistics that must be counted anew from the rows: set by a migration, cleared by the program when it has done so.
CREATE TABLE recount_wanted (
    id integer NOT NULL PRIMARY KEY CHECK (id = 1)
);
INSERT INTO recount_wanted (id) SELECT 1 WHERE EXISTS (SELECT 1 FROM executions);

-- Flows whose older executions are taken out of every answer while their rows are being deleted: those that ended, were
-- last written up to `mark` and stand below a place (all of them when it is NULL). The `edge` columns count what is left
-- of them in the hour of that place, from its beginning.
CREATE TABLE prunes (
    flow_id          uuid   NOT NULL PRIMARY KEY,
    mark             bigint NOT NULL,
    below_at         timestamptz,
    below_id         uuid,
    resume_at        timestamptz,
    resume_id        uuid,
    edge_fulfilled   bigint NOT NULL,
    edge_error       bigint NOT NULL,
    edge_aborted     bigint NOT NULL,
    edge_duration_us bigint NOT NULL,
    edge_bytes       bigint NOT NULL,
    edge_durations   bytea  NOT NULL
);

-- What was added, since a flow's prune began, to the statistics of hours before that of its place: it stays.
CREATE TABLE prune_late (
    flow_id     uuid        NOT NULL,
    bucket      timestamptz NOT NULL,
    slot        integer     NOT NULL,
    fulfilled   bigint      NOT NULL,
    error       bigint      NOT NULL,
    aborted     bigint      NOT NULL,
    duration_us bigint      NOT NULL,
    bytes       bigint      NOT NULL,
    durations   bytea       NOT NULL,
    PRIMARY KEY (flow_id, bucket, slot)
);

-- Retention rules of a flow, as JSON; NULL for the server's.
ALTER TABLE flows ADD COLUMN retention text;

-- A process that has not renewed its lease for a while, by the clock of this server, is dead.
ALTER TABLE instances ADD COLUMN renewed_at timestamptz NOT NULL DEFAULT clock_timestamp();

-- The statistics of stored executions, added up and readable.
CREATE VIEW history_stats AS
SELECT flow_id, period, CASE period WHEN 'all' THEN NULL ELSE bucket END AS begun_at,
       sum(pending) AS pending,
       sum(fulfilled - removed_fulfilled) AS fulfilled,
       sum(error - removed_error) AS error,
       sum(aborted - removed_aborted) AS aborted,
       sum(duration_us - removed_duration_us) / 1000.0 AS duration_ms,
       sum(bytes - removed_bytes) AS bytes
FROM flow_stats
GROUP BY flow_id, period, bucket;
