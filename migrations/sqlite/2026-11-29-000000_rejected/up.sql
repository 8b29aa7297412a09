-- Calls that were rejected before they ran. Each is an execution that failed, and is counted as one; what reports figures
-- takes it away. `unrecorded` counts those for which there is no execution.
ALTER TABLE executions ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flow_stats ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flow_stats ADD COLUMN unrecorded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flow_stats ADD COLUMN removed_rejected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE prunes ADD COLUMN edge_rejected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE prune_late ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;

DROP VIEW history_stats;
CREATE VIEW history_stats AS
SELECT lower(hex(flow_id)) AS flow_id,
       period,
       CASE period WHEN 'all' THEN NULL
           ELSE strftime('%Y-%m-%dT%H:%M:%SZ', bucket / 1000000, 'unixepoch') END AS begun_at,
       sum(pending) AS pending,
       sum(fulfilled - removed_fulfilled) AS fulfilled,
       sum(error - removed_error - rejected + removed_rejected) AS error,
       sum(aborted - removed_aborted) AS aborted,
       sum(duration_us - removed_duration_us) / 1000.0 AS duration_ms,
       sum(bytes - removed_bytes) AS bytes,
       sum(rejected - removed_rejected + unrecorded) AS rejected
FROM flow_stats
GROUP BY flow_id, period, bucket;
