-- Pending executions that wait for another message, by what that message will name: a digest of a request's state, of a task's
-- id, or of the call itself. No process runs them meanwhile. Rows of executions that have ended are removed in the background.
CREATE TABLE waiting_calls (
    key          BLOB NOT NULL,
    execution_id BLOB NOT NULL,
    PRIMARY KEY (key, execution_id)
) WITHOUT ROWID;

CREATE INDEX waiting_calls_by_execution ON waiting_calls (execution_id);
