-- The start and the duration of a node are NULL when they were not reported. SQLite cannot drop a NOT NULL constraint, so the
-- table is made anew. It holds only nodes of executions that are not packed yet, which are few.
DROP VIEW history_nodes;
ALTER TABLE node_executions RENAME TO node_executions_before;
CREATE TABLE node_executions (
    execution_id BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    node_id      TEXT    NOT NULL,
    node_name    TEXT    NOT NULL,
    node_type    TEXT    NOT NULL,
    status       TEXT    NOT NULL
        CHECK (status IN ('pending', 'completed', 'error', 'aborted', 'skipped')),
    executed_at  INTEGER,
    duration_us  INTEGER,
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
INSERT INTO node_executions SELECT * FROM node_executions_before;
DROP TABLE node_executions_before;
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
