DROP INDEX executions_by_end;
