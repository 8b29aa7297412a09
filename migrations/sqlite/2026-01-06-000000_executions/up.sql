-- Ids are BLOBs of 16 bytes, times are INTEGER microseconds since the Unix epoch, in UTC.
-- The views `history` and `history_nodes` show both as text.

CREATE TABLE users (
    id         BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL CHECK (role IN ('admin', 'user')),
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE api_keys (
    id           BLOB    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    user_id      BLOB    NOT NULL REFERENCES users (id),
    prefix       TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    expires_at   INTEGER
) WITHOUT ROWID;

CREATE TABLE flows (
    id          BLOB    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN ('runnable', 'external', 'upstream')),
    name        TEXT    NOT NULL,
    -- The name and the tool name in lower case, for searches in any script.
    search_text TEXT    NOT NULL,
    tool_name   TEXT,
    description TEXT    NOT NULL,
    active      INTEGER NOT NULL CHECK (active IN (0, 1)),
    version     INTEGER NOT NULL,
    timeout_us  INTEGER,
    public      INTEGER NOT NULL CHECK (public IN (0, 1)),
    capture     TEXT    NOT NULL CHECK (capture IN ('full', 'metadata', 'none')),
    owner_id    BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    -- A deleted flow's row stays: it goes on guarding the history, and its tool name is free again.
    deleted_at  INTEGER
) WITHOUT ROWID;

CREATE UNIQUE INDEX flows_tool_name ON flows (tool_name) WHERE deleted_at IS NULL;
CREATE INDEX flows_name ON flows (name, id);

CREATE TABLE flow_versions (
    flow_id    BLOB    NOT NULL,
    version    INTEGER NOT NULL,
    definition BLOB    NOT NULL,
    PRIMARY KEY (flow_id, version)
);

CREATE TABLE flow_access (
    flow_id   BLOB    NOT NULL,
    user_id   BLOB    NOT NULL,
    can_write INTEGER NOT NULL CHECK (can_write IN (0, 1)),
    PRIMARY KEY (flow_id, user_id)
) WITHOUT ROWID;

-- One row: a number that grows with every change of any flow.
CREATE TABLE flow_revision (
    id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
);
INSERT INTO flow_revision (id, revision) VALUES (1, 0);

-- The narrow row: all that lists read, and what decides about an execution's life.
CREATE TABLE executions (
    id               BLOB    NOT NULL PRIMARY KEY,
    flow_id          BLOB    NOT NULL,
    flow_name        TEXT    NOT NULL,
    flow_tool_name   TEXT,
    flow_version     INTEGER,
    user_id          BLOB,
    source           TEXT    NOT NULL,
    status           TEXT    NOT NULL CHECK (status IN ('pending', 'fulfilled', 'error', 'aborted')),
    inferred         INTEGER NOT NULL CHECK (inferred IN (0, 1)),
    started_at       INTEGER NOT NULL,
    ended_at         INTEGER,
    duration_us      INTEGER,
    -- When a pending execution is taken for dead; NULL once it has ended.
    deadline_at      INTEGER,
    instance_id      BLOB,
    cancel_requested INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
    preview          TEXT,
    error_summary    TEXT,
    failed_node_id   TEXT,
    parent_id        BLOB,
    replay_of        BLOB,
    capture_policy   TEXT    NOT NULL,
    -- Hashes of what was reported, by which a retry is told from another record.
    digest           BLOB    NOT NULL,
    end_digest       BLOB,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    CHECK ((status = 'pending') = (ended_at IS NULL)),
    CHECK ((status = 'pending') = (deadline_at IS NOT NULL)),
    CHECK (ended_at IS NULL OR ended_at >= started_at)
) WITHOUT ROWID;

CREATE INDEX executions_by_flow ON executions (flow_id, started_at, id);
CREATE INDEX executions_by_start ON executions (started_at, id);
CREATE INDEX executions_by_user ON executions (user_id, started_at, id);
CREATE INDEX executions_pending ON executions (deadline_at, instance_id) WHERE deadline_at IS NOT NULL;

-- The wide half: read by the detail view only.
CREATE TABLE execution_payloads (
    execution_id    BLOB NOT NULL PRIMARY KEY,
    params          BLOB,
    meta            BLOB,
    outputs         BLOB,
    error           BLOB,
    -- What happened to the payloads on their way here, as JSON; NULL when they are whole.
    start_capture   BLOB,
    end_capture     BLOB
);

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

CREATE TABLE execution_tags (
    execution_id BLOB NOT NULL,
    key          TEXT NOT NULL,
    value        TEXT NOT NULL,
    PRIMARY KEY (execution_id, key)
) WITHOUT ROWID;

-- Counters, kept in the transactions that change the rows they count. The flow with the nil id stands for
-- all flows; a slot belongs to one writer, and readers add up the slots.
CREATE TABLE flow_stats (
    flow_id         BLOB    NOT NULL,
    period          TEXT    NOT NULL CHECK (period IN ('all', 'day', 'hour')),
    bucket          INTEGER NOT NULL,
    slot            INTEGER NOT NULL,
    pending         INTEGER NOT NULL,
    fulfilled       INTEGER NOT NULL,
    error           INTEGER NOT NULL,
    aborted         INTEGER NOT NULL,
    duration_us     INTEGER NOT NULL,
    last_started_at INTEGER,
    PRIMARY KEY (flow_id, period, bucket, slot)
) WITHOUT ROWID;

-- Processes that run executions. Whether one lives is told by a lock on a file of its own.
CREATE TABLE instances (
    id         BLOB    NOT NULL PRIMARY KEY,
    started_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE VIEW history AS
SELECT lower(hex(id)) AS id,
       flow_name,
       flow_tool_name,
       status,
       inferred,
       source,
       strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000000.0, 'unixepoch') AS ended_at,
       duration_us / 1000.0 AS duration_ms,
       preview,
       error_summary
FROM executions;

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
