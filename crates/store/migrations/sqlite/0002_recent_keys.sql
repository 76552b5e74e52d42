-- The newest idempotency keys of messages, in order of arrival; they move into `idempotency` in sorted batches.
CREATE TABLE recent_key (
    seq        INTEGER PRIMARY KEY,
    message_id INTEGER NOT NULL,   -- what came of it, and when it was used
    key        BLOB NOT NULL,
    body       BLOB NOT NULL
) STRICT;
