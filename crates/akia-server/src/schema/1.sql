CREATE TABLE serve_note (
    name TEXT NOT NULL PRIMARY KEY,
    text TEXT,
    number BIGINT
);

CREATE TABLE estate_account (
    account TEXT NOT NULL PRIMARY KEY,
    name TEXT,
    units TEXT NOT NULL,
    audit BIGINT NOT NULL,
    as_of BIGINT NOT NULL,
    figures TEXT NOT NULL
);

CREATE TABLE estate_key (
    identity TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    units TEXT NOT NULL,
    user_name TEXT,
    key_id TEXT,
    is_active BIGINT NOT NULL,
    created_at BIGINT,
    last_used_at BIGINT,
    idle_since BIGINT,
    owner TEXT,
    worst BIGINT NOT NULL,
    searched TEXT NOT NULL,
    facts TEXT NOT NULL
);
CREATE INDEX estate_key_user ON estate_key (account, (COALESCE(user_name, '')), identity);
CREATE INDEX estate_key_age ON estate_key ((COALESCE(created_at, -1)), identity);
CREATE INDEX estate_key_last_used ON estate_key ((COALESCE(last_used_at, -1)), identity);
CREATE INDEX estate_key_worst ON estate_key (worst, (COALESCE(created_at, -1)), identity);
CREATE INDEX estate_key_by_owner ON estate_key ((COALESCE(owner, '')), identity);
CREATE INDEX estate_key_owner ON estate_key (owner);

CREATE TABLE access_pass (
    hash TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    held TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE INDEX access_pass_name ON access_pass (name);
