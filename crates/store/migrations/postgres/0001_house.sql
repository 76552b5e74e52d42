-- Moments are microseconds since 1970 unless they are on the database's own clock (timestamptz); ids are the integers
-- behind the public text. Every key of what a tenant owns starts with the application, so that tables can be spread by it.
-- Texts that order or name something are compared byte by byte.

-- One row each: the check value of the encryption key, and up to which id messages are past retention.
CREATE TABLE house (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    key_check bytea,
    horizon   bigint NOT NULL DEFAULT 0
);
INSERT INTO house DEFAULT VALUES;

CREATE TABLE application (
    id            bigint PRIMARY KEY,
    uid           text COLLATE "C",
    name          text NOT NULL,
    throttle_rate integer,
    metadata      text NOT NULL,
    updated_at    bigint NOT NULL,
    deleted_at    bigint,
    routes        bigint NOT NULL DEFAULT 0   -- counts the changes of its endpoints and its own
);
CREATE UNIQUE INDEX application_by_uid ON application (uid) WHERE uid IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX application_live ON application (id) WHERE deleted_at IS NULL;
CREATE INDEX application_deleted ON application (deleted_at, id) WHERE deleted_at IS NOT NULL;

CREATE TABLE endpoint (
    id                bigint PRIMARY KEY,
    app_id            bigint NOT NULL,
    uid               text COLLATE "C",
    url               text NOT NULL,
    description       text NOT NULL,
    event_types       text NOT NULL, -- JSON list; empty means all
    channels          text NOT NULL, -- JSON list; empty means every message
    disabled_since    bigint,
    disabled_reason   text,
    throttle_rate     integer,
    concurrency       integer,
    schedule          text,
    signature_headers text,
    metadata          text NOT NULL,
    failing           text,          -- JSON
    secrets           bytea NOT NULL, -- encrypted
    headers           bytea NOT NULL, -- encrypted
    updated_at        bigint NOT NULL,
    deleted_at        bigint
);
CREATE INDEX endpoint_by_app ON endpoint (app_id, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX endpoint_by_uid ON endpoint (app_id, uid) WHERE uid IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX endpoint_deleted ON endpoint (deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX endpoint_failing ON endpoint (id)
    WHERE deleted_at IS NULL AND (failing IS NOT NULL OR disabled_reason = 'gone');

CREATE TABLE event_type (
    name         text COLLATE "C" PRIMARY KEY,
    description  text NOT NULL,
    archived     boolean NOT NULL,
    deprecated   boolean NOT NULL,
    schemas      text,
    feature_flag text,
    group_name   text,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL
);

CREATE TABLE api_key (
    id           bigint PRIMARY KEY,
    name         text NOT NULL,
    hash         bytea NOT NULL UNIQUE,
    role         text NOT NULL,
    app_id       bigint,
    expires_at   bigint,
    last_used_at bigint,
    revoked_at   bigint,
    portal       text,  -- JSON: what the token of a customer's portal is limited to
    session      text COLLATE "C"
);
CREATE INDEX api_key_by_app ON api_key (app_id, id) WHERE app_id IS NOT NULL;

-- What was answered to requests that may be repeated.
CREATE TABLE answer (
    key    bytea PRIMARY KEY,
    body   bytea NOT NULL,
    at     bigint NOT NULL,
    status smallint NOT NULL,
    answer bytea NOT NULL   -- encrypted
);
CREATE INDEX answer_by_age ON answer (at);

-- Idempotency keys and event ids of messages, for a day. When they were used stands in the message's id.
CREATE TABLE used_key (
    key        bytea PRIMARY KEY,
    body       bytea NOT NULL,
    message_id bigint NOT NULL
);
CREATE INDEX used_key_by_age ON used_key (message_id);
CREATE TABLE used_event_id (
    app_id     bigint NOT NULL,
    event_id   text COLLATE "C" NOT NULL,
    message_id bigint NOT NULL,
    PRIMARY KEY (app_id, event_id)
);
CREATE INDEX used_event_id_by_age ON used_event_id (message_id);

-- The four tables below are split by day: of the id, or of the message's. A partition is made ahead, and dropped whole
-- when all in it is past retention; what is still needed of it moves to the partition that takes what no day has.
CREATE TABLE message (
    id           bigint NOT NULL,
    app_id       bigint NOT NULL,
    event_type   text COLLATE "C" NOT NULL,
    event_id     text COLLATE "C",
    channels     text,             -- JSON list; NULL means none
    tags         text,             -- JSON list; NULL means none
    content_type text,             -- NULL means application/json
    expires_at   bigint,
    targets      bigint[] NOT NULL,
    payload      bytea,            -- NULL once the content is gone
    PRIMARY KEY (app_id, id)
) PARTITION BY RANGE (id);
ALTER TABLE message ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX message_by_event_id ON message (app_id, event_id, id) WHERE event_id IS NOT NULL;
CREATE INDEX message_by_expiry ON message (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE message_rest PARTITION OF message DEFAULT;

CREATE TABLE finished_delivery (
    app_id      bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    message_id  bigint NOT NULL,
    state       smallint NOT NULL,  -- 1 delivered, 2 failed, 3 cancelled
    reason      smallint,
    PRIMARY KEY (app_id, endpoint_id, message_id)
) PARTITION BY RANGE (message_id);
CREATE INDEX finished_delivery_failed ON finished_delivery (app_id, endpoint_id, message_id) WHERE state = 2;
CREATE TABLE finished_delivery_rest PARTITION OF finished_delivery DEFAULT;

CREATE TABLE attempt (
    id          bigint NOT NULL,
    app_id      bigint NOT NULL,
    message_id  bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    at          bigint NOT NULL,
    manual      boolean NOT NULL,
    status      smallint NOT NULL,
    failure     smallint,          -- NULL means success
    url         text NOT NULL,
    address     text,
    detail      text,
    timings     bytea NOT NULL,
    headers     bytea,
    body        bytea,
    PRIMARY KEY (app_id, message_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX attempt_by_endpoint ON attempt (app_id, endpoint_id, id);
CREATE TABLE attempt_rest PARTITION OF attempt DEFAULT;

-- Counted by the hour in which the message was accepted. Each connection that writes has rows of its own, so that none
-- waits for another.
CREATE TABLE counter (
    app_id      bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    hour        integer NOT NULL,
    writer      integer NOT NULL,
    owed        bigint NOT NULL DEFAULT 0,
    success     bigint NOT NULL DEFAULT 0,
    fail        bigint NOT NULL DEFAULT 0,
    cancelled   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (app_id, endpoint_id, hour, writer)
) PARTITION BY RANGE (hour);
CREATE TABLE counter_rest PARTITION OF counter DEFAULT;

-- Unfinished deliveries that no node holds in memory. The owner is the node that tries them, by its incarnation.
CREATE TABLE delivery (
    app_id      bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    message_id  bigint NOT NULL,
    owner       bigint NOT NULL,
    next_at     bigint NOT NULL,
    attempts    integer NOT NULL,
    manual      boolean NOT NULL,
    PRIMARY KEY (app_id, endpoint_id, message_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX delivery_due ON delivery (owner, endpoint_id, next_at, message_id);
CREATE INDEX delivery_by_message ON delivery (message_id, endpoint_id);

-- Messages with deliveries that a node holds in memory: those of one transaction share a row, which goes with the last of them.
CREATE TABLE open_batch (
    owner       bigint NOT NULL,
    batch       bigint NOT NULL,
    app_ids     bigint[] NOT NULL,
    message_ids bigint[] NOT NULL,
    PRIMARY KEY (owner, batch)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE VIEW open_message AS
    SELECT w.app_id, w.id, b.owner FROM open_batch b CROSS JOIN LATERAL unnest(b.app_ids, b.message_ids) AS w(app_id, id);

-- A node is one start of a server. Its lease is on the database's clock; its incarnation is the fencing number.
CREATE SEQUENCE incarnation;
CREATE TABLE node (
    incarnation bigint PRIMARY KEY,
    slot        smallint NOT NULL,       -- its number in ids
    alive       boolean NOT NULL,        -- false once its deliveries may be taken by others
    name        text NOT NULL,
    address     text NOT NULL,
    version     text NOT NULL,
    started_at  timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    lanes       bigint NOT NULL DEFAULT 0,
    in_flight   bigint NOT NULL DEFAULT 0,
    pending     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX node_slot ON node (slot) WHERE alive;

-- The connections of a node that write the hot path: each proves the lease by its own row, which whoever takes over ends as well.
-- Its last transaction is looked up here after a commit whose outcome is unknown.
CREATE TABLE writer (
    incarnation bigint NOT NULL,
    number      smallint NOT NULL,
    alive       boolean NOT NULL DEFAULT true,
    batch       bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (incarnation, number)
) WITH (fillfactor = 20);

-- What was changed lately, for nodes that missed the notification.
CREATE TABLE change (
    seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    origin bigint NOT NULL,       -- the incarnation that made it
    kind   smallint NOT NULL,
    app_id bigint NOT NULL,
    id     bigint NOT NULL
);
CREATE INDEX change_by_age ON change (at);
