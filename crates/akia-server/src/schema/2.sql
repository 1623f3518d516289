CREATE TABLE exemption (
    id BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    reason TEXT NOT NULL,
    ticket TEXT NOT NULL,
    approver TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    withdrawn_by TEXT,
    withdrawn_at BIGINT
);
CREATE INDEX exemption_key ON exemption (key_id);
