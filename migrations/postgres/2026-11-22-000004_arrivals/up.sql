-- What has ended, in the order in which it did: for clients that page through a flow's history by arrival.
CREATE INDEX executions_by_end ON executions (flow_id, ended_at, id) WHERE ended_at IS NOT NULL;
