//! Looks at the plans of the log and of upkeep: each list walks an index in its own order, and sorts nothing.

use super::Database;
use super::plans::{is_unbounded, plan_of};
use crate::postgres::{PostgresStore, log, upkeep};

/// Tables that are small: one has one row, the other what fits into the nodes' memory.
const SMALL: [&str; 2] = [" on house", " on open_batch"];

fn is_small(step: &str) -> bool {
    SMALL.iter().any(|table| step.contains(table))
}

/// `product` is a step that compares all rows with all.
async fn check_plans(store: &PostgresStore, product: &str) {
    let mut wrong = Vec::new();
    for (sql, index) in log::plans().into_iter().chain(upkeep::plans()) {
        let plan = plan_of(store, &sql).await;
        let walks = plan.iter().any(|step| step.contains(index));
        // What is in memory is few; it is sorted where it is listed.
        let in_memory = sql.contains("open_message");
        let is_sort = |step: &str| in_memory && step.contains("Sort  (");
        let unbounded = |step: &String| {
            (is_unbounded(step) && !is_small(step) && !is_sort(step)) || step.contains(product)
        };
        if !walks || plan.iter().any(unbounded) {
            wrong.push(format!("{sql}\n{index}: {plan:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Messages over three days and before them, each owed to three endpoints of which one has been tried in vain.
const MANY: &str = "SET statement_timeout = 0;
    INSERT INTO endpoint (id, app_id, url, description, event_types, channels, metadata, secrets, headers, updated_at)
        SELECT n, 1 + n % 3, '', '', '[]', '[]', '{}', '', '', 0 FROM generate_series(1, 3000) n;
    INSERT INTO message (id, app_id, event_type, targets, payload, event_id, expires_at)
        SELECT (394930000 + n * 30)::bigint << 32, 1 + n % 3, 'a', '{1,2,3}', '', CASE WHEN n % 9 = 0 THEN n::text END,
            CASE WHEN n % 10 = 0 THEN n END FROM generate_series(1, 6000) n;
    INSERT INTO finished_delivery (app_id, endpoint_id, message_id, state)
        SELECT app_id, 1 + app_id * 3 + n, id, 1 + n FROM message, generate_series(0, 1) n WHERE id % 7 < 6;
    INSERT INTO attempt (id, app_id, message_id, endpoint_id, at, manual, status, url, timings)
        SELECT id + n, app_id, id, 1 + app_id * 3 + n, 0, false, 200, '', '' FROM message, generate_series(0, 1) n;
    INSERT INTO delivery (app_id, endpoint_id, message_id, owner, next_at, attempts, manual)
        SELECT app_id, 3 + app_id * 3, id, 1, 0, 0, false FROM message WHERE (id >> 32) % 5 = 0;
    INSERT INTO open_batch (owner, batch, app_ids, message_ids)
        SELECT 1, id, ARRAY[app_id], ARRAY[id] FROM message WHERE (id >> 32) % 11 = 0;
    INSERT INTO counter (app_id, endpoint_id, hour, writer, owed)
        SELECT 1, n % 100, 498600 + n / 100, 1, 1 FROM generate_series(1, 5000) n;
    INSERT INTO used_key (key, body, message_id) SELECT sha256(n::text::bytea), '', n FROM generate_series(1, 3000) n;
    INSERT INTO used_event_id (app_id, event_id, message_id) SELECT 1, n::text, n FROM generate_series(1, 3000) n;
    INSERT INTO answer (key, body, at, status, answer)
        SELECT sha256(n::text::bytea), '', n, 200, '' FROM generate_series(1, 3000) n;
    INSERT INTO api_key (id, name, hash, role, app_id)
        SELECT n, '', sha256(n::text::bytea), 'portal', 1 + n % 30 FROM generate_series(1, 3000) n;
    INSERT INTO change (origin, kind, app_id, id) SELECT 1, 1, n, n FROM generate_series(1, 3000) n;
    ANALYZE;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_of_the_log_walks_an_index_in_its_own_order() {
    let store = Database::new().store;
    // Of tables that are empty it does not matter.
    check_plans(&store, "no such step").await;
    let client = store.client().await.unwrap();
    store.link(&client).batch(MANY).await.unwrap();
    drop(client);
    check_plans(&store, "Join Filter").await;
}
