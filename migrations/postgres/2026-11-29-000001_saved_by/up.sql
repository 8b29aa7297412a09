-- Who saved a definition, and what they were then: it may use the secrets that they may use. NULL in rows of earlier
-- editions: the flow's owner stands for them.
ALTER TABLE flow_versions ADD COLUMN saved_by UUID;
ALTER TABLE flow_versions ADD COLUMN saved_by_name TEXT;
ALTER TABLE flow_versions ADD COLUMN saved_by_admin BOOLEAN;
