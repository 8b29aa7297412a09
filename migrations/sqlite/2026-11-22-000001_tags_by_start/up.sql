-- A list by tag is an index walked from the newest: each tag knows when its execution began.
CREATE TABLE tags_with_start (
    execution_id BLOB    NOT NULL,
    key          TEXT    NOT NULL,
    value        TEXT    NOT NULL,
    started_at   INTEGER NOT NULL,
    PRIMARY KEY (execution_id, key)
) WITHOUT ROWID;
INSERT INTO tags_with_start (execution_id, key, value, started_at)
SELECT t.execution_id, t.key, t.value, e.started_at
FROM execution_tags AS t JOIN executions AS e ON e.id = t.execution_id;
DROP TABLE execution_tags;
ALTER TABLE tags_with_start RENAME TO execution_tags;

CREATE INDEX execution_tags_by_value ON execution_tags (key, value, started_at, execution_id);
