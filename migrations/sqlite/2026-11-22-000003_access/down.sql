DROP TABLE audit;
DROP TABLE tokens;
ALTER TABLE users DROP COLUMN deleted_at;
