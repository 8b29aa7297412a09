-- What was not reported becomes what the version before made of it: the execution's start, and no time at all.
DROP VIEW history_nodes;
ALTER TABLE node_executions RENAME TO node_executions_after;
CREATE TABLE node_executions (
    execution_id BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    node_id      TEXT    NOT NULL,
    node_name    TEXT    NOT NULL,
    node_type    TEXT    NOT NULL,
    status       TEXT    NOT NULL
        CHECK (status IN ('pending', 'completed', 'error', 'aborted', 'skipped')),
    executed_at  INTEGER NOT NULL,
    duration_us  INTEGER NOT NULL,
    input        BLOB,
    output       BLOB,
    error        TEXT,
    error_kind   TEXT,
    parent_seq   INTEGER,
    iteration    INTEGER,
    attempt      INTEGER NOT NULL,
    capture      BLOB,
    digest       BLOB    NOT NULL,
    PRIMARY KEY (execution_id, seq)
);
INSERT INTO node_executions
SELECT n.execution_id, n.seq, n.node_id, n.node_name, n.node_type, n.status, coalesce(n.executed_at, e.started_at),
       coalesce(n.duration_us, 0), n.input, n.output, n.error, n.error_kind, n.parent_seq, n.iteration, n.attempt, n.capture,
       n.digest
FROM node_executions_after AS n JOIN executions AS e ON e.id = n.execution_id;
DROP TABLE node_executions_after;
CREATE VIEW history_nodes AS
SELECT lower(hex(execution_id)) AS execution_id,
       seq,
       node_id,
       node_type,
       status,
       strftime('%Y-%m-%dT%H:%M:%fZ', executed_at / 1000000.0, 'unixepoch') AS executed_at,
       duration_us / 1000.0 AS duration_ms,
       CAST(input AS TEXT) AS input,
       CAST(output AS TEXT) AS output,
       error
FROM node_executions;
