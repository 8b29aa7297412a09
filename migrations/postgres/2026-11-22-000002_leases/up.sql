-- For how long an execution that runs elsewhere may be silent before it is taken for dead, in microseconds; NULL for those
-- that did not ask for a lease. Every append moves its deadline so far ahead.
ALTER TABLE executions ADD COLUMN lease_us bigint;
