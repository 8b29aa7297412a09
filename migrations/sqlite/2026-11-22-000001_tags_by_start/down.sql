DROP INDEX execution_tags_by_value;
ALTER TABLE execution_tags DROP COLUMN started_at;
