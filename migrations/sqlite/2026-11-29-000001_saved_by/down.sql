ALTER TABLE flow_versions DROP COLUMN saved_by_admin;
ALTER TABLE flow_versions DROP COLUMN saved_by_name;
ALTER TABLE flow_versions DROP COLUMN saved_by;
