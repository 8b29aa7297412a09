-- A list by tag is an index walked from the newest: each tag knows when its execution began.
ALTER TABLE execution_tags ADD COLUMN started_at timestamptz;
UPDATE execution_tags AS t SET started_at = e.started_at FROM executions AS e WHERE e.id = t.execution_id;
DELETE FROM execution_tags WHERE started_at IS NULL;
ALTER TABLE execution_tags ALTER COLUMN started_at SET NOT NULL;

CREATE INDEX execution_tags_by_value ON execution_tags (key, value, started_at, execution_id);
