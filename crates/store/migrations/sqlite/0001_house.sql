-- Moments are microseconds since 1970; ids are the integers behind the public text.

CREATE TABLE application (
    id            INTEGER PRIMARY KEY,
    uid           TEXT,
    name          TEXT NOT NULL,
    throttle_rate INTEGER,
    metadata      TEXT NOT NULL,
    updated_at    INTEGER NOT NULL,
    deleted_at    INTEGER
) STRICT;
CREATE UNIQUE INDEX application_by_uid ON application (uid) WHERE uid IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX application_live ON application (id) WHERE deleted_at IS NULL;
CREATE INDEX application_deleted ON application (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE endpoint (
    id                INTEGER PRIMARY KEY,
    app_id            INTEGER NOT NULL,
    uid               TEXT,
    url               TEXT NOT NULL,
    description       TEXT NOT NULL,
    event_types       TEXT NOT NULL, -- JSON list; empty means all
    channels          TEXT NOT NULL, -- JSON list; empty means every message
    disabled_since    INTEGER,
    disabled_reason   TEXT,
    throttle_rate     INTEGER,
    concurrency       INTEGER,
    schedule          TEXT,
    signature_headers TEXT,
    metadata          TEXT NOT NULL,
    failing           TEXT,          -- JSON
    secrets           BLOB NOT NULL, -- encrypted
    headers           BLOB NOT NULL, -- encrypted
    updated_at        INTEGER NOT NULL,
    deleted_at        INTEGER
) STRICT;
CREATE INDEX endpoint_by_app ON endpoint (app_id, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX endpoint_by_uid ON endpoint (app_id, uid) WHERE uid IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX endpoint_deleted ON endpoint (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE event_type (
    name         TEXT PRIMARY KEY,
    description  TEXT NOT NULL,
    archived     INTEGER NOT NULL,
    deprecated   INTEGER NOT NULL,
    schemas      TEXT,
    feature_flag TEXT,
    group_name   TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
    id           INTEGER PRIMARY KEY,
    app_id       INTEGER NOT NULL,
    event_type   TEXT NOT NULL,
    event_id     TEXT,
    channels     TEXT,             -- JSON list; NULL means none
    content_type TEXT,             -- NULL means application/json
    expires_at   INTEGER,
    targets      BLOB NOT NULL,    -- endpoint ids, eight bytes each, big-endian
    payload      BLOB              -- NULL once the content is gone
) STRICT;
CREATE INDEX message_by_app ON message (app_id, id);
CREATE INDEX message_by_event_id ON message (app_id, event_id, id) WHERE event_id IS NOT NULL;
CREATE INDEX message_by_expiry ON message (expires_at) WHERE expires_at IS NOT NULL;

-- A message with fresh deliveries that are not settled yet: see the crate's README.
CREATE TABLE open_message (
    id INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE delivery (
    endpoint_id INTEGER NOT NULL,
    message_id  INTEGER NOT NULL,
    state       INTEGER NOT NULL,  -- 0 pending, 1 delivered, 2 failed, 3 cancelled
    next_at     INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    manual      INTEGER NOT NULL,
    reason      INTEGER,
    PRIMARY KEY (endpoint_id, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (endpoint_id, next_at, message_id) WHERE state = 0;
CREATE INDEX delivery_failed ON delivery (endpoint_id, message_id) WHERE state = 2;

CREATE TABLE attempt (
    id          INTEGER PRIMARY KEY,
    app_id      INTEGER NOT NULL,
    message_id  INTEGER NOT NULL,
    endpoint_id INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    manual      INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    failure     INTEGER,           -- NULL means success
    settled     INTEGER NOT NULL,  -- what became of the delivery: 0 delivered, 1 retry, 2 failed, 3 waits, 4 cancelled
    url         TEXT NOT NULL,
    address     TEXT,
    detail      TEXT,
    timings     BLOB NOT NULL,
    headers     BLOB,
    body        BLOB
) STRICT;
CREATE INDEX attempt_by_message ON attempt (message_id, id);

-- The three tables below are folded from message and attempt in sorted batches, since an index with
-- the endpoint first would dirty a page for each endpoint in every commit. What lies beyond the
-- watermarks in `folded` is read from message and attempt themselves.
CREATE TABLE message_by_endpoint (
    endpoint_id INTEGER NOT NULL,
    message_id  INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, message_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE attempt_by_endpoint (
    endpoint_id INTEGER NOT NULL,
    attempt_id  INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, attempt_id)
) STRICT, WITHOUT ROWID;
-- Counted by the hour in which the message was accepted.
CREATE TABLE counter (
    endpoint_id INTEGER NOT NULL,
    hour        INTEGER NOT NULL,
    owed        INTEGER NOT NULL DEFAULT 0,
    success     INTEGER NOT NULL DEFAULT 0,
    fail        INTEGER NOT NULL DEFAULT 0,
    cancelled   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (endpoint_id, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE folded (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    message_id INTEGER NOT NULL,
    attempt_id INTEGER NOT NULL
) STRICT;
INSERT INTO folded VALUES (1, 0, 0);

CREATE TABLE idempotency (
    key        BLOB PRIMARY KEY,
    body       BLOB NOT NULL,
    at         INTEGER NOT NULL,
    message_id INTEGER,            -- what came of accepting a message
    status     INTEGER,            -- otherwise the answer that was given
    answer     BLOB                -- encrypted
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL,
    hash         BLOB NOT NULL UNIQUE,
    role         TEXT NOT NULL,
    app_id       INTEGER,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;
CREATE INDEX api_key_by_app ON api_key (app_id, id) WHERE app_id IS NOT NULL;
