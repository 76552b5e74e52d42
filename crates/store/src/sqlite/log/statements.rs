//! Every statement of the lists with the index that it must use, for the test of query plans.

use super::{attempts, failing, messages, owed, standing};
use crate::Order;
use crate::sqlite::{answers, counts, deliveries, fold, keys, reencrypt, upkeep};

/// A statement, and what its plan must mention.
pub(in crate::sqlite) type Expected = (String, &'static [&'static str]);

const BY_KEY: &[&str] = &["USING INTEGER PRIMARY KEY"];
const BY_APP: &[&str] = &["message_by_app (app_id=? AND id>? AND id<?)"];
const BY_ENDPOINT: &[&str] = &["SEARCH f USING PRIMARY KEY (endpoint_id=?"];
const BY_MESSAGE: &[&str] = &["attempt_by_message (message_id=?"];
const DELIVERY: &[&str] = &["PRIMARY KEY (endpoint_id=? AND message_id=?)"];

pub(in crate::sqlite) fn lists() -> Vec<Expected> {
    let both = |sql: fn(Order) -> String, plan| {
        [
            (sql(Order::Ascending), plan),
            (sql(Order::Descending), plan),
        ]
    };
    let mut all: Vec<Expected> = [
        both(messages::of_application_sql, BY_APP),
        both(messages::of_endpoint_folded_sql, BY_ENDPOINT),
        both(messages::of_endpoint_tail_sql, BY_APP),
        both(attempts::of_message_sql, BY_MESSAGE),
        both(attempts::of_endpoint_folded_sql, BY_ENDPOINT),
        both(attempts::of_endpoint_tail_sql, BY_KEY),
        both(keys::all_sql, BY_KEY),
        both(keys::of_application_sql, &["api_key_by_app (app_id=?"]),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.extend([
        (messages::by_id(), BY_KEY),
        (
            messages::by_event_id(),
            &["message_by_event_id (app_id=? AND event_id=?)"][..],
        ),
        (messages::owed_by_id(), BY_KEY),
        (messages::OWNER.to_owned(), BY_KEY),
        (attempts::by_id(), BY_KEY),
        (attempts::OF_MESSAGE.to_owned(), BY_KEY),
        (attempts::MESSAGE_EXISTS.to_owned(), BY_KEY),
        (standing::SUCCEEDED.to_owned(), BY_MESSAGE),
        (owed::TARGETS.to_owned(), BY_KEY),
        (owed::ROW.to_owned(), DELIVERY),
        (owed::SUCCESSES.to_owned(), BY_MESSAGE),
        (owed::endpoint_by_id(), BY_KEY),
        (counts::OWNER.to_owned(), BY_KEY),
        (
            counts::ROLLED_UP.to_owned(),
            &["PRIMARY KEY (endpoint_id=? AND hour>? AND hour<?)"],
        ),
        (counts::OWED_TAIL.to_owned(), BY_APP),
        (counts::SETTLED_TAIL.to_owned(), BY_KEY),
        (failing::OWED.to_owned(), BY_KEY),
        (failing::TRIED.to_owned(), BY_KEY),
        (keys::by_hash(), &["(hash=?)"]),
        (answers::BY_KEY.to_owned(), &["PRIMARY KEY (key=?)"]),
        (reencrypt::OLD_ENDPOINTS.to_owned(), BY_KEY),
        (reencrypt::NEXT_ANSWERS.to_owned(), &["PRIMARY KEY (key>?)"]),
        (upkeep::LARGEST.to_owned(), BY_KEY),
        (
            deliveries::PENDING.to_owned(),
            &["SCAN delivery USING COVERING INDEX delivery_due"],
        ),
        (
            deliveries::DUE.to_owned(),
            &["delivery_due (endpoint_id=?)"],
        ),
        (
            deliveries::NEXT_LANE.to_owned(),
            &["delivery_due (endpoint_id>?)"],
        ),
        (
            deliveries::FAILED.to_owned(),
            &["delivery_failed (endpoint_id=? AND message_id>? AND message_id<?)"],
        ),
        (fold::MESSAGES.to_owned(), BY_KEY),
        (fold::ATTEMPTS.to_owned(), BY_KEY),
    ]);
    all
}
