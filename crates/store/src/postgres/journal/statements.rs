//! The statements of the hot path. Rows come as arrays, one for each column: `unnest` among what is selected gives row by
//! row, while behind `FROM` each array would be copied first.

use tokio_postgres::types::Type;

use super::parts::HotSql;

/// Proves that this node's lease was not taken over, keeps it so until the transaction ends, and notes which transaction of
/// this connection it is. Divides by nothing otherwise, so that whatever was sent behind it is refused with it.
pub(super) static PROVE: HotSql = HotSql {
    text: "UPDATE writer SET batch = $3 WHERE incarnation = $1 AND number = $2 AND alive AND batch < $3 RETURNING 1",
    types: &[Type::INT8, Type::INT2, Type::INT8],
    check: Some("1 / (SELECT count(*) FROM {})::integer"),
};

/// Which transaction of a connection was the last. Waits for one that has not ended yet; one that has not even begun, because
/// the database has not read it, fails after this.
pub(super) static LAST_BATCH: HotSql = HotSql {
    text: "WITH last AS (SELECT batch FROM writer WHERE incarnation = $1 AND number = $2 FOR UPDATE), \
        passed AS (UPDATE writer w SET batch = greatest(last.batch, $3) FROM last \
            WHERE w.incarnation = $1 AND w.number = $2) \
        SELECT batch FROM last",
    types: &[Type::INT8, Type::INT2, Type::INT8],
    check: None,
};

/// The applications that exist, with the versions of their routes.
pub(super) static APPLICATIONS: HotSql = HotSql {
    text: "SELECT id, routes FROM application WHERE id = ANY($1) AND deleted_at IS NULL",
    types: &[Type::INT8_ARRAY],
    check: None,
};

/// Takes idempotency keys that are free, or were used before `$4`; waits for whoever is taking one of them.
pub(super) static TAKE_KEYS: HotSql = HotSql {
    text: "INSERT INTO used_key (key, body, message_id) SELECT * FROM unnest($1, $2, $3) \
        ON CONFLICT (key) DO UPDATE SET body = excluded.body, message_id = excluded.message_id \
        WHERE used_key.message_id < $4",
    types: &[
        Type::BYTEA_ARRAY,
        Type::BYTEA_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8,
    ],
    check: None,
};

/// The same; refuses a transaction in which not all of them are taken: there is no root of less than nothing.
pub(super) static TAKE_ALL_KEYS: HotSql = HotSql {
    text: "INSERT INTO used_key (key, body, message_id) SELECT unnest($1), unnest($2), unnest($3) \
        ON CONFLICT (key) DO UPDATE SET body = excluded.body, message_id = excluded.message_id \
        WHERE used_key.message_id < $4 RETURNING 1",
    types: TAKE_KEYS.types,
    check: Some("sqrt((((SELECT count(*) FROM {}) = cardinality($1))::integer - 1)::float8)"),
};

/// Who has these keys.
pub(super) static KEYS: HotSql = HotSql {
    text: "SELECT key, body, message_id FROM used_key WHERE key = ANY($1)",
    types: &[Type::BYTEA_ARRAY],
    check: None,
};

/// Takes event ids that are free, or were used before `$4`.
pub(super) static TAKE_EVENT_IDS: HotSql = HotSql {
    text: "INSERT INTO used_event_id (app_id, event_id, message_id) SELECT * FROM unnest($1, $2, $3) \
        ON CONFLICT (app_id, event_id) DO UPDATE SET message_id = excluded.message_id \
        WHERE used_event_id.message_id < $4",
    types: &[
        Type::INT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8,
    ],
    check: None,
};

/// Who has these event ids.
pub(super) static EVENT_IDS: HotSql = HotSql {
    text: "SELECT u.message_id FROM unnest($1, $2) AS w(app_id, event_id) \
        JOIN used_event_id u ON u.app_id = w.app_id AND u.event_id = w.event_id",
    types: &[Type::INT8_ARRAY, Type::TEXT_ARRAY],
    check: None,
};

/// Gives back the keys that were taken for messages which are not accepted.
pub(super) static FREE_KEYS: HotSql = HotSql {
    text: "DELETE FROM used_key u USING unnest($1, $2) AS w(key, message_id) \
        WHERE u.key = w.key AND u.message_id = w.message_id",
    types: &[Type::BYTEA_ARRAY, Type::INT8_ARRAY],
    check: None,
};

/// The same of event ids.
pub(super) static FREE_EVENT_IDS: HotSql = HotSql {
    text: "DELETE FROM used_event_id u USING unnest($1, $2, $3) AS w(app_id, event_id, message_id) \
        WHERE u.app_id = w.app_id AND u.event_id = w.event_id AND u.message_id = w.message_id",
    types: &[Type::INT8_ARRAY, Type::TEXT_ARRAY, Type::INT8_ARRAY],
    check: None,
};

/// Writes messages; targets come as the text of an array.
pub(super) static MESSAGES: HotSql = HotSql {
    text: "INSERT INTO message (id, app_id, event_type, event_id, channels, tags, content_type, expires_at, \
            targets, payload) \
        SELECT unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8), \
            unnest($9)::bigint[], unnest($10)",
    types: &[
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::BYTEA_ARRAY,
    ],
    check: None,
};

/// Refuses a transaction in which the routes of an application are not those by which its messages were routed: there is no
/// logarithm of nothing.
pub(super) static ROUTED: HotSql = HotSql {
    text: "SELECT count(*) = $3 AS same FROM unnest($1, $2) AS w(id, routes) \
        JOIN application a ON a.id = w.id AND a.routes = w.routes AND a.deleted_at IS NULL",
    types: &[Type::INT8_ARRAY, Type::INT8_ARRAY, Type::INT8],
    check: Some("(SELECT ln(same::integer::float8) FROM {})"),
};

/// Marks messages with deliveries in this node's memory.
pub(super) static OPEN: HotSql = HotSql {
    text: "INSERT INTO open_batch (owner, batch, app_ids, message_ids) VALUES ($1, $2, $3, $4)",
    types: &[Type::INT8, Type::INT8, Type::INT8_ARRAY, Type::INT8_ARRAY],
    check: None,
};

/// Nothing of these transactions is in memory any more.
pub(super) static CLOSE: HotSql = HotSql {
    text: "DELETE FROM open_batch WHERE owner = $1 AND batch = ANY($2)",
    types: &[Type::INT8, Type::INT8_ARRAY],
    check: None,
};

/// Rows for deliveries that wait. An endpoint that is gone for good gets none, since nobody would ever remove it.
pub(super) static WAIT: HotSql = HotSql {
    text: "INSERT INTO delivery (app_id, endpoint_id, message_id, owner, next_at, attempts, manual) \
        SELECT e.app_id, w.endpoint_id, w.message_id, $6, w.next_at, w.attempts, w.manual \
        FROM unnest($1, $2, $3, $4, $5) AS w(endpoint_id, message_id, next_at, attempts, manual) \
        JOIN endpoint e ON e.id = w.endpoint_id ON CONFLICT DO NOTHING",
    types: &[
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT4_ARRAY,
        Type::BOOL_ARRAY,
        Type::INT8,
    ],
    check: None,
};

/// Tries.
pub(super) static ATTEMPTS: HotSql = HotSql {
    text: "INSERT INTO attempt (id, app_id, message_id, endpoint_id, at, manual, status, failure, url, address, \
            detail, timings, headers, body) \
        SELECT unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8), \
            unnest($9), unnest($10), unnest($11), unnest($12), unnest($13), unnest($14)",
    types: &[
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::BOOL_ARRAY,
        Type::INT2_ARRAY,
        Type::INT2_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::BYTEA_ARRAY,
        Type::BYTEA_ARRAY,
        Type::BYTEA_ARRAY,
    ],
    check: None,
};

/// Deliveries that have ended and were in memory.
pub(super) static FINISH: HotSql = HotSql {
    text: "INSERT INTO finished_delivery (app_id, endpoint_id, message_id, state, reason) \
        SELECT unnest($1), unnest($2), unnest($3), unnest($4), unnest($5)",
    types: &[
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT2_ARRAY,
        Type::INT2_ARRAY,
    ],
    check: None,
};

/// Deliveries that have ended and had rows; those that are not this node's any more stay as they are.
pub(super) static FINISH_ROWS: HotSql = HotSql {
    text: "WITH ended AS (DELETE FROM delivery d USING unnest($1, $2, $3, $4, $5) \
                AS w(app_id, endpoint_id, message_id, state, reason) \
            WHERE d.app_id = w.app_id AND d.endpoint_id = w.endpoint_id AND d.message_id = w.message_id \
                AND d.owner = $6 RETURNING w.*), \
        kept AS (INSERT INTO finished_delivery (app_id, endpoint_id, message_id, state, reason) SELECT * FROM ended \
            ON CONFLICT (app_id, endpoint_id, message_id) \
            DO UPDATE SET state = excluded.state, reason = excluded.reason) \
        INSERT INTO counter (app_id, endpoint_id, hour, writer, success, fail, cancelled) \
        SELECT app_id, endpoint_id, ((message_id >> 32) + 1400000000) / 3600, $7, \
            count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 3) \
        FROM ended GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 \
        ON CONFLICT (app_id, endpoint_id, hour, writer) DO UPDATE SET success = counter.success + excluded.success, \
            fail = counter.fail + excluded.fail, cancelled = counter.cancelled + excluded.cancelled",
    types: &[
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT2_ARRAY,
        Type::INT2_ARRAY,
        Type::INT8,
        Type::INT4,
    ],
    check: None,
};

/// Deliveries with rows that are tried again later.
pub(super) static RETRY_ROWS: HotSql = HotSql {
    text: "UPDATE delivery d SET next_at = w.next_at, attempts = w.attempts, manual = false \
        FROM unnest($1, $2, $3, $4, $5) AS w(app_id, endpoint_id, message_id, next_at, attempts) \
        WHERE d.app_id = w.app_id AND d.endpoint_id = w.endpoint_id AND d.message_id = w.message_id AND d.owner = $6",
    types: &[
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT4_ARRAY,
        Type::INT8,
    ],
    check: None,
};

/// Adds to the counters of this connection.
pub(super) static COUNT: HotSql = HotSql {
    text: "INSERT INTO counter (app_id, endpoint_id, hour, writer, owed, success, fail, cancelled) \
        SELECT unnest($1), unnest($2), unnest($3), $8, unnest($4), unnest($5), unnest($6), unnest($7) \
        ON CONFLICT (app_id, endpoint_id, hour, writer) DO UPDATE SET owed = counter.owed + excluded.owed, \
            success = counter.success + excluded.success, fail = counter.fail + excluded.fail, \
            cancelled = counter.cancelled + excluded.cancelled",
    types: &[
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT4_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT4,
    ],
    check: None,
};
