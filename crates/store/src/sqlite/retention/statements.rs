//! The statements of retention with the index that each must use, for the test of query plans.

use super::{applications, endpoints, keys, large, leftovers, messages, stale};
use crate::sqlite::log::statements::Expected;

pub(in crate::sqlite) fn all() -> Vec<Expected> {
    let by_key: &[&str] = &["USING INTEGER PRIMARY KEY"];
    let listed: [(&str, &'static [&'static str]); 15] = [
        (
            messages::EXPIRED_CONTENT,
            &["message_by_expiry (expires_at"],
        ),
        (messages::OLDEST, by_key),
        (
            messages::TO_BE_TRIED,
            &["PRIMARY KEY (endpoint_id=? AND message_id=?)"],
        ),
        (
            messages::UNFOLDED_ATTEMPT,
            &["attempt_by_message (message_id=? AND id>?)"],
        ),
        (messages::OLD_ATTEMPTS, by_key),
        (
            messages::ITS_ATTEMPTS,
            &["attempt_by_message (message_id=?"],
        ),
        (endpoints::NEXT, &["endpoint_deleted"]),
        (endpoints::PENDING, &["delivery_due (endpoint_id=?"]),
        (applications::NEXT, &["application_deleted"]),
        (applications::ITS_MESSAGE, &["message_by_app (app_id=?"]),
        (applications::ITS_KEYS, &["api_key_by_app (app_id=?"]),
        (keys::NEXT, by_key),
        (large::PAYLOAD, by_key),
        (large::LENGTH, by_key),
        (large::GONE, &["SCAN gone_content"]),
    ];
    let mut all: Vec<Expected> = listed
        .into_iter()
        .map(|(sql, plan)| (sql.to_owned(), plan))
        .collect();
    all.push((stale::NEXT.to_owned(), &["PRIMARY KEY (key>?)"]));
    let by_endpoint: &[&str] = &["PRIMARY KEY (endpoint_id"];
    all.extend(leftovers::statements().map(|sql| (sql.to_owned(), by_endpoint)));
    all
}
