-- Times are seconds since 1970, set by the program. Ids and names are bytes. The program decodes `record`; SQL decides
-- by the other columns, and only they hold the uses, the revocation, the name and the claims.

CREATE SCHEMA IF NOT EXISTS onetoken;

CREATE TABLE onetoken.store (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL,
    -- Tokens created before this time count as revoked.
    revoke_before bigint NOT NULL DEFAULT 0
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
    -- The encoded revocation, and whether it is reversible; both NULL if the token is not revoked.
    revocation bytea,
    reversible boolean,
    -- The latest time at which a use was spent.
    last_use bigint,
    name bytea,
    -- NULL until it is amended: `record` has it.
    metadata bytea,
    -- When the last use was spent; NULL while uses are left.
    spent_at bigint GENERATED ALWAYS AS (CASE WHEN uses >= use_limit THEN coalesce(last_use, created) END) STORED,
    -- Grows with every change to the record or to one of its claims. A statement that has waited for the row compares
    -- it to learn whether what it read from other tables still holds.
    changes bigint NOT NULL DEFAULT 0
) WITH (
    -- Leaves room on each page for the next version of a row, so that a use that is not the last needs no new index
    -- entries.
    fillfactor = 85,
    -- Rows live for days: vacuum after a smaller share of dead rows than the default, since tables are large.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02
);

CREATE INDEX tokens_resource ON onetoken.tokens (resource, id) WHERE resource IS NOT NULL;
CREATE INDEX tokens_issuer ON onetoken.tokens (issuer, id);
CREATE UNIQUE INDEX tokens_name ON onetoken.tokens (issuer, name) WHERE name IS NOT NULL;
CREATE INDEX tokens_expires ON onetoken.tokens (expires, id) WHERE expires IS NOT NULL;
CREATE INDEX tokens_spent ON onetoken.tokens (spent_at, id) WHERE spent_at IS NOT NULL;

CREATE TABLE onetoken.claims (
    id bytea NOT NULL,
    claim bytea NOT NULL,
    uses_left bigint NOT NULL,
    -- The 64 bits of the grant of this use: a refund gives back no other.
    grant_id bigint NOT NULL,
    answered_again boolean NOT NULL,
    -- Who spent the use, and when, encoded.
    spent bytea NOT NULL,
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

-- Changes that make verdicts about tokens obsolete, in the order of their commits.
CREATE TABLE onetoken.events (
    number bigint PRIMARY KEY,
    -- Drawn at random, so that a cursor from before a backup was restored is recognized.
    tag bigint NOT NULL,
    event text NOT NULL,
    -- The id of a token or the key of a subject, and a time or the number of a generation, if the event has them.
    subject bytea,
    value bigint
) WITH (
    autovacuum_vacuum_scale_factor = 0.02
);

-- One row: the number of the next event. A statement that stores events takes their numbers here. This row is its last
-- lock, which it keeps until its commit. So numbers have no gaps, and a reader that sees an event sees all earlier
-- ones.
CREATE TABLE onetoken.next_event (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    number bigint NOT NULL
);

INSERT INTO onetoken.store (version) VALUES (1);
INSERT INTO onetoken.next_event (number) VALUES (0);
