-- A deleted user's row stays: their name goes on standing beside what they did.
ALTER TABLE users ADD COLUMN deleted_at timestamptz;

-- What stands for a user for a while: a session of the web UI, a token for a page of another origin, a code to log in
-- once. Only hashes are kept. Those that were made by means of a key go with it.
CREATE TABLE tokens (
    hash       bytea       NOT NULL PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('session', 'embed', 'login')),
    user_id    uuid        NOT NULL REFERENCES users (id),
    key_id     uuid REFERENCES api_keys (id) ON DELETE CASCADE,
    -- The flows that the token of a page is for, as a JSON array of ids.
    flows      text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX tokens_by_key ON tokens (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);

-- Who did what to keys, users and access, and who deleted what. The names are those of then.
CREATE TABLE audit (
    id         uuid        NOT NULL PRIMARY KEY,
    at         timestamptz NOT NULL,
    user_id    uuid        NOT NULL,
    user_name  text        NOT NULL,
    action     text        NOT NULL,
    subject_id uuid,
    subject    text,
    detail     text
);
