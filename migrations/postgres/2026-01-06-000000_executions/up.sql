-- Texts escape U+0000, which PostgreSQL cannot hold, as U+001A followed by "0". Payloads are bytes: JSON as it came.

CREATE TABLE users (
    id         uuid        NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    role       text        NOT NULL CHECK (role IN ('admin', 'user')),
    created_at timestamptz NOT NULL
);

CREATE TABLE api_keys (
    id           uuid        NOT NULL PRIMARY KEY,
    name         text        NOT NULL,
    user_id      uuid        NOT NULL REFERENCES users (id),
    prefix       text        NOT NULL,
    hash         bytea       NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    expires_at   timestamptz
);

CREATE TABLE flows (
    id          uuid        NOT NULL PRIMARY KEY,
    kind        text        NOT NULL CHECK (kind IN ('runnable', 'external', 'upstream')),
    name        text        NOT NULL COLLATE "C",
    -- The name and the tool name in lower case, for searches in any script.
    search_text text        NOT NULL,
    tool_name   text        COLLATE "C",
    description text        NOT NULL,
    active      boolean     NOT NULL,
    version     integer     NOT NULL,
    timeout_us  bigint,
    public      boolean     NOT NULL,
    capture     text        NOT NULL CHECK (capture IN ('full', 'metadata', 'none')),
    owner_id    uuid        NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    -- A deleted flow's row stays: it goes on guarding the history, and its tool name is free again.
    deleted_at  timestamptz
);

CREATE UNIQUE INDEX flows_tool_name ON flows (tool_name) WHERE deleted_at IS NULL;
CREATE INDEX flows_name ON flows (name, id);

CREATE TABLE flow_versions (
    flow_id    uuid    NOT NULL,
    version    integer NOT NULL,
    definition bytea   NOT NULL,
    PRIMARY KEY (flow_id, version)
);

CREATE TABLE flow_access (
    flow_id   uuid    NOT NULL,
    user_id   uuid    NOT NULL,
    can_write boolean NOT NULL,
    PRIMARY KEY (flow_id, user_id)
);

-- One row: a number that grows with every change of any flow.
CREATE TABLE flow_revision (
    id       integer NOT NULL PRIMARY KEY CHECK (id = 1),
    revision bigint  NOT NULL
);
INSERT INTO flow_revision (id, revision) VALUES (1, 0);

-- The narrow row: all that lists read, and what decides about an execution's life.
CREATE TABLE executions (
    id               uuid        NOT NULL PRIMARY KEY,
    flow_id          uuid        NOT NULL,
    flow_name        text        NOT NULL,
    flow_tool_name   text,
    flow_version     integer,
    user_id          uuid,
    source           text        NOT NULL,
    status           text        NOT NULL CHECK (status IN ('pending', 'fulfilled', 'error', 'aborted')),
    inferred         boolean     NOT NULL,
    started_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    duration_us      bigint,
    -- When a pending execution is taken for dead; NULL once it has ended.
    deadline_at      timestamptz,
    instance_id      uuid,
    cancel_requested boolean     NOT NULL,
    preview          text,
    error_summary    text,
    failed_node_id   text,
    parent_id        uuid,
    replay_of        uuid,
    capture_policy   text        NOT NULL,
    -- Hashes of what was reported, by which a retry is told from another record.
    digest           bytea       NOT NULL,
    end_digest       bytea,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CHECK ((status = 'pending') = (ended_at IS NULL)),
    CHECK ((status = 'pending') = (deadline_at IS NOT NULL)),
    CHECK (ended_at IS NULL OR ended_at >= started_at)
);

CREATE INDEX executions_by_flow ON executions (flow_id, started_at, id);
CREATE INDEX executions_by_start ON executions (started_at, id);
CREATE INDEX executions_by_user ON executions (user_id, started_at, id);
CREATE INDEX executions_pending ON executions (deadline_at, instance_id) WHERE deadline_at IS NOT NULL;

-- The wide half: read by the detail view only.
CREATE TABLE execution_payloads (
    execution_id  uuid NOT NULL PRIMARY KEY,
    params        bytea,
    meta          bytea,
    outputs       bytea,
    error         bytea,
    -- What happened to the payloads on their way here, as JSON; NULL when they are whole.
    start_capture bytea,
    end_capture   bytea
);

CREATE TABLE node_executions (
    execution_id uuid        NOT NULL,
    seq          integer     NOT NULL,
    node_id      text        NOT NULL,
    node_name    text        NOT NULL,
    node_type    text        NOT NULL,
    status       text        NOT NULL
        CHECK (status IN ('pending', 'completed', 'error', 'aborted', 'skipped')),
    executed_at  timestamptz NOT NULL,
    duration_us  bigint      NOT NULL,
    input        bytea,
    output       bytea,
    error        text,
    error_kind   text,
    parent_seq   integer,
    iteration    integer,
    attempt      integer     NOT NULL,
    capture      bytea,
    digest       bytea       NOT NULL,
    PRIMARY KEY (execution_id, seq)
);

CREATE TABLE execution_tags (
    execution_id uuid NOT NULL,
    key          text NOT NULL,
    value        text NOT NULL,
    PRIMARY KEY (execution_id, key)
);

-- Counters, kept in the transactions that change the rows they count. The flow with the nil id stands for
-- all flows; a slot belongs to one writer, and readers add up the slots.
CREATE TABLE flow_stats (
    flow_id         uuid        NOT NULL,
    period          text        NOT NULL CHECK (period IN ('all', 'day', 'hour')),
    bucket          bigint      NOT NULL,
    slot            integer     NOT NULL,
    pending         bigint      NOT NULL,
    fulfilled       bigint      NOT NULL,
    error           bigint      NOT NULL,
    aborted         bigint      NOT NULL,
    duration_us     bigint      NOT NULL,
    last_started_at timestamptz,
    PRIMARY KEY (flow_id, period, bucket, slot)
);

-- Processes that run executions.
CREATE TABLE instances (
    id         uuid        NOT NULL PRIMARY KEY,
    started_at timestamptz NOT NULL
);

CREATE VIEW history AS
SELECT id, flow_name, flow_tool_name, status, inferred, source, started_at, ended_at,
       duration_us / 1000.0 AS duration_ms, preview, error_summary
FROM executions;

CREATE VIEW history_nodes AS
SELECT execution_id, seq, node_id, node_type, status, executed_at, duration_us / 1000.0 AS duration_ms,
       convert_from(input, 'UTF8') AS input, convert_from(output, 'UTF8') AS output, error
FROM node_executions;
