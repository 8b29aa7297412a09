-- The start and the duration of a node are NULL when they were not reported.
ALTER TABLE node_executions ALTER COLUMN executed_at DROP NOT NULL;
ALTER TABLE node_executions ALTER COLUMN duration_us DROP NOT NULL;
