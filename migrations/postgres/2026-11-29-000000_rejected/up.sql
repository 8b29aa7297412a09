-- Calls that were rejected before they ran. Each is an execution that failed, and is counted as one; what reports figures
-- takes it away. `unrecorded` counts those for which there is no execution.
ALTER TABLE executions ADD COLUMN rejected BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE flow_stats ADD COLUMN rejected BIGINT NOT NULL DEFAULT 0;
ALTER TABLE flow_stats ADD COLUMN unrecorded BIGINT NOT NULL DEFAULT 0;
ALTER TABLE flow_stats ADD COLUMN removed_rejected BIGINT NOT NULL DEFAULT 0;
ALTER TABLE prunes ADD COLUMN edge_rejected BIGINT NOT NULL DEFAULT 0;
ALTER TABLE prune_late ADD COLUMN rejected BIGINT NOT NULL DEFAULT 0;

-- Replaced in place: rights on it, and views over it, stay.
CREATE OR REPLACE VIEW history_stats AS
SELECT flow_id, period, CASE period WHEN 'all' THEN NULL ELSE bucket END AS begun_at,
       sum(pending) AS pending,
       sum(fulfilled - removed_fulfilled) AS fulfilled,
       sum(error - removed_error - rejected + removed_rejected) AS error,
       sum(aborted - removed_aborted) AS aborted,
       sum(duration_us - removed_duration_us) / 1000.0 AS duration_ms,
       sum(bytes - removed_bytes) AS bytes,
       sum(rejected - removed_rejected + unrecorded) AS rejected
FROM flow_stats
GROUP BY flow_id, period, bucket;
