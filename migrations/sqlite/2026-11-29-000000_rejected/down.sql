-- To the version before, a rejected call is an execution that failed. Those that were not recorded are forgotten.
DROP VIEW history_stats;
ALTER TABLE prune_late DROP COLUMN rejected;
ALTER TABLE prunes DROP COLUMN edge_rejected;
ALTER TABLE flow_stats DROP COLUMN removed_rejected;
ALTER TABLE flow_stats DROP COLUMN unrecorded;
ALTER TABLE flow_stats DROP COLUMN rejected;
ALTER TABLE executions DROP COLUMN rejected;

CREATE VIEW history_stats AS
SELECT lower(hex(flow_id)) AS flow_id,
       period,
       CASE period WHEN 'all' THEN NULL
           ELSE strftime('%Y-%m-%dT%H:%M:%SZ', bucket / 1000000, 'unixepoch') END AS begun_at,
       sum(pending) AS pending,
       sum(fulfilled - removed_fulfilled) AS fulfilled,
       sum(error - removed_error) AS error,
       sum(aborted - removed_aborted) AS aborted,
       sum(duration_us - removed_duration_us) / 1000.0 AS duration_ms,
       sum(bytes - removed_bytes) AS bytes
FROM flow_stats
GROUP BY flow_id, period, bucket;
