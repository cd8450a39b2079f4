-- Numbers are eight bytes, big-endian: they keep their whole range, and sort. `due` is the time of expiry and the id; `named` the
-- issuer and the name.
BEGIN;

CREATE TABLE tokens (
    id BLOB PRIMARY KEY, record BLOB, resource BLOB, issuer BLOB, named BLOB UNIQUE, created BLOB, due BLOB
);
CREATE INDEX by_resource ON tokens (resource, id);
CREATE INDEX by_issuer ON tokens (issuer, id);
CREATE INDEX by_expiry ON tokens (due);
CREATE TABLE claims (
    id BLOB, claim BLOB, uses_left BLOB, granted BLOB, spent BLOB, again BOOLEAN, PRIMARY KEY (id, claim)
);
CREATE TABLE generations (subject BLOB PRIMARY KEY, generation BLOB);
CREATE TRIGGER purged AFTER DELETE ON tokens BEGIN DELETE FROM claims WHERE id = old.id; END;

-- The newest creation time of all records ever, purged ones included.
CREATE TABLE newest (one INTEGER PRIMARY KEY, at BLOB);
CREATE TRIGGER inserted AFTER INSERT ON tokens BEGIN
    INSERT INTO newest VALUES (1, new.created) ON CONFLICT DO UPDATE SET at = max(at, new.created);
END;

PRAGMA user_version = 1;
COMMIT;
