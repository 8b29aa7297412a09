-- When an execution was restored from an export: retention spares it for an hour.
ALTER TABLE executions ADD COLUMN imported_at INTEGER;
CREATE INDEX executions_imported ON executions (imported_at) WHERE imported_at IS NOT NULL;
