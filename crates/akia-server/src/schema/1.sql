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
    searched TEXT NOT NULL
);
CREATE INDEX estate_key_user ON estate_key (account, (COALESCE(user_name, '')), identity);
CREATE INDEX estate_key_age ON estate_key ((COALESCE(created_at, -1)), identity);
CREATE INDEX estate_key_last_used ON estate_key ((COALESCE(last_used_at, -1)), identity);
CREATE INDEX estate_key_worst ON estate_key (worst DESC, (COALESCE(created_at, -1)), identity);
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

CREATE TABLE job_state (
    job TEXT NOT NULL PRIMARY KEY,
    pattern TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    paused_by TEXT,
    paused_at BIGINT
);

CREATE TABLE run (
    id BIGINT NOT NULL PRIMARY KEY,
    job TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    asked_by TEXT,
    command TEXT NOT NULL,
    state TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    holder TEXT,
    epoch BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    exit_code BIGINT,
    words TEXT,
    cancelled_by TEXT,
    UNIQUE (job, due_at, attempt)
);
CREATE INDEX run_state ON run (state, not_before);

CREATE TABLE run_line (
    run BIGINT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (run, number)
);

CREATE TABLE plan (
    run BIGINT NOT NULL PRIMARY KEY,
    made_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    changes BIGINT NOT NULL,
    body TEXT NOT NULL,
    approved_by TEXT,
    approved_at BIGINT,
    applied_run BIGINT
);
CREATE TABLE record_thread (
    thread TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    key_id TEXT NOT NULL,
    new_key_id TEXT NOT NULL,
    account TEXT NOT NULL,
    user_name TEXT NOT NULL,
    owner TEXT,
    stage TEXT NOT NULL,
    rest TEXT NOT NULL,
    due_at BIGINT,
    is_over BIGINT NOT NULL,
    needs_person BIGINT NOT NULL,
    began_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    judged_at BIGINT NOT NULL,
    facts TEXT NOT NULL
);
CREATE INDEX record_thread_kind ON record_thread (kind, is_over, began_at);
CREATE INDEX record_thread_key ON record_thread (key_id);
CREATE INDEX record_thread_new_key ON record_thread (new_key_id);
CREATE INDEX record_thread_due ON record_thread (due_at);

CREATE TABLE record_event (
    seq BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    thread TEXT NOT NULL,
    key_id TEXT NOT NULL,
    moment TEXT,
    weight TEXT NOT NULL,
    words TEXT NOT NULL
);
CREATE INDEX record_event_thread ON record_event (thread, seq);
CREATE INDEX record_event_key ON record_event (key_id, seq);

CREATE TABLE estate_fact (
    identity TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    facts TEXT NOT NULL
);
CREATE INDEX estate_fact_account ON estate_fact (account);

CREATE TABLE estate_trend (
    audit BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    source TEXT NOT NULL,
    scope TEXT NOT NULL,
    is_whole BIGINT NOT NULL,
    accounts_read BIGINT NOT NULL,
    accounts BIGINT NOT NULL,
    active_keys BIGINT NOT NULL,
    grave BIGINT NOT NULL
);

CREATE TABLE saved_view (
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    question TEXT NOT NULL,
    PRIMARY KEY (person, name)
);
