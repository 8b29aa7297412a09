ALTER TABLE executions DROP COLUMN lease_us;
