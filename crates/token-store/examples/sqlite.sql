-- Numbers are eight bytes: they keep their whole range, and sort.
BEGIN;

CREATE TABLE tokens (id BLOB PRIMARY KEY, record BLOB, resource BLOB, issuer BLOB, expires BLOB);
CREATE INDEX by_resource ON tokens (resource, id);
CREATE INDEX by_issuer ON tokens (issuer, id);
CREATE INDEX by_expiry ON tokens (expires, id);
CREATE TABLE claims (id BLOB, claim BLOB, uses_left BLOB, granted BLOB, again BOOLEAN, PRIMARY KEY (id, claim));
CREATE TABLE generations (subject BLOB PRIMARY KEY, generation BLOB);
CREATE TABLE newest (one INTEGER PRIMARY KEY, created BLOB); -- of all records ever, purged ones included

PRAGMA user_version = 1;
COMMIT;
