-- What was not reported becomes what the version before made of it: the execution's start, and no time at all.
UPDATE node_executions AS n SET executed_at = e.started_at
FROM executions AS e WHERE e.id = n.execution_id AND n.executed_at IS NULL;
UPDATE node_executions SET duration_us = 0 WHERE duration_us IS NULL;
ALTER TABLE node_executions ALTER COLUMN executed_at SET NOT NULL;
ALTER TABLE node_executions ALTER COLUMN duration_us SET NOT NULL;
