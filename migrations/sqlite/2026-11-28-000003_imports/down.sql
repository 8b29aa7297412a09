DROP INDEX executions_imported;
ALTER TABLE executions DROP COLUMN imported_at;
