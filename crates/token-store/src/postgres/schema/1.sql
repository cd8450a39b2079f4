-- Times are seconds since 1970, given by the program. Ids are bytes. What the program reads of a record is `record`;
-- the other columns are what SQL decides by, and `uses`, `revoked` and `claims` are kept in them alone.

CREATE SCHEMA IF NOT EXISTS onetoken;

CREATE TABLE onetoken.store (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL,
    -- What was created before this time is void.
    void_before bigint NOT NULL DEFAULT 0
);

CREATE TABLE onetoken.tokens (
    id bytea PRIMARY KEY,
    record bytea NOT NULL,
    resource bytea,
    issuer bytea NOT NULL,
    created bigint NOT NULL,
    expires bigint,
    use_limit bigint,
    uses bigint NOT NULL,
    revoked boolean NOT NULL,
    -- When a purge first came upon the record after it was spent; 0 until then, NULL while it is not spent.
    spent_seen bigint,
    -- Grows with every change to the record or to a claim on it: a statement that has waited for the row tells by it
    -- whether what it read elsewhere still holds.
    changes bigint NOT NULL DEFAULT 0
) WITH (
    -- Room on each page for the next version of a row: a use that is not the last needs no new index entries.
    fillfactor = 85,
    -- Rows live for days: dead ones are cleared up by number, not by a share of a large table.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02
);

CREATE INDEX tokens_resource ON onetoken.tokens (resource, id) WHERE resource IS NOT NULL;
CREATE INDEX tokens_issuer ON onetoken.tokens (issuer, id);
CREATE INDEX tokens_expires ON onetoken.tokens (expires, id) WHERE expires IS NOT NULL;
CREATE INDEX tokens_spent ON onetoken.tokens (spent_seen, id) WHERE spent_seen IS NOT NULL;

CREATE TABLE onetoken.claims (
    id bytea NOT NULL,
    claim bytea NOT NULL,
    uses_left bigint NOT NULL,
    -- The 64 bits that name the grant of this use: a refund gives back no other.
    grant_id bigint NOT NULL,
    answered_again boolean NOT NULL,
    PRIMARY KEY (id, claim)
) WITH (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);

CREATE TABLE onetoken.generations (
    subject bytea PRIMARY KEY,
    number bigint NOT NULL,
    generation bytea NOT NULL
);

INSERT INTO onetoken.store (version) VALUES (1);
