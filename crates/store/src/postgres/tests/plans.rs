//! Looks at the plan of every list of the catalogue: it walks an index in its own order, and sorts nothing.

use super::Database;
use crate::postgres::{PostgresStore, catalogue, keys};

/// The plan that a statement has whatever its parameters are.
pub(super) async fn plan_of(store: &PostgresStore, sql: &str) -> Vec<String> {
    let client = store.client().await.unwrap();
    let link = store.link(&client);
    let prepare = format!("SET plan_cache_mode = force_generic_plan; PREPARE looked_at AS {sql}");
    let prepared = link.batch(&prepare).await;
    prepared.unwrap_or_else(|fault| panic!("{sql}\n{fault:?}"));
    let types =
        "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'looked_at'";
    let types: Vec<String> = client.query_one(types, &[]).await.unwrap().get(0);
    let values: Vec<String> = types.iter().zip(1..).map(value_of).collect();
    let values = if values.is_empty() {
        String::new()
    } else {
        format!("({})", values.join(", "))
    };
    let explain = format!("EXPLAIN EXECUTE looked_at {values}");
    let rows = client.query(&explain, &[]).await.unwrap();
    let end = link.batch("DEALLOCATE looked_at; RESET plan_cache_mode");
    end.await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Some value of a type. Numbers grow from left to right, so that a range between two of them is not empty.
fn value_of((kind, place): (&String, usize)) -> String {
    match kind.as_str() {
        "boolean" => "true".into(),
        array if array.ends_with("[]") => "'{}'".into(),
        _ => format!("'{place}'"),
    }
}

/// Whether a step of a plan reads a whole table, or sorts.
pub(super) fn is_unbounded(step: &str) -> bool {
    let step = step.trim_start().trim_start_matches("->").trim_start();
    [
        "Seq Scan",
        "Sort  (",
        "Incremental Sort",
        "Bitmap Heap Scan",
    ]
    .iter()
    .any(|unbounded| step.starts_with(unbounded))
}

async fn check_plans(store: &PostgresStore) {
    let lists = catalogue::lists().into_iter().chain(keys::lists());
    for (sql, indexes) in lists {
        let plan = plan_of(store, &sql).await;
        for index in indexes {
            let walked = plan.iter().any(|step| step.contains(index));
            assert!(walked, "{sql}\nnot {index}: {plan:#?}");
        }
        let unbounded = plan.iter().find(|step| is_unbounded(step));
        assert_eq!(unbounded, None, "{sql}\n{plan:#?}");
    }
}

/// Some applications, of which one has most of everything.
const MANY: &str = "SET statement_timeout = 0;
    INSERT INTO application (id, name, metadata, updated_at, deleted_at)
        SELECT n, 'a', '{}', 0, CASE WHEN n % 3 = 0 THEN 1 END FROM generate_series(1, 300) n;
    INSERT INTO endpoint (id, app_id, url, description, event_types, channels, metadata, failing, secrets, headers, updated_at)
        SELECT n, CASE WHEN n % 4 = 0 THEN n % 300 ELSE 1 END, 'https://example.com', '', '[]', '[]', '{}',
            CASE WHEN n % 50 = 0 THEN '{}' END, '', '', 0 FROM generate_series(1, 5000) n;
    INSERT INTO event_type (name, description, archived, deprecated, created_at, updated_at)
        SELECT 'type.' || n, '', n % 5 = 0, false, 0, 0 FROM generate_series(1, 3000) n;
    INSERT INTO api_key (id, name, hash, role, app_id)
        SELECT n, '', sha256(n::text::bytea), CASE WHEN n % 2 = 0 THEN 'portal' ELSE 'sender' END,
            CASE WHEN n % 4 = 0 THEN n % 300 ELSE 1 END FROM generate_series(1, 5000) n;
    INSERT INTO counter (app_id, endpoint_id, hour, writer, owed)
        SELECT 1, n % 100, n / 100, 1, 1 FROM generate_series(1, 5000) n;
    ANALYZE application, endpoint, event_type, api_key, counter;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_walks_an_index_in_its_own_order() {
    let store = Database::new().store;
    check_plans(&store).await;
    let client = store.client().await.unwrap();
    store.link(&client).batch(MANY).await.unwrap();
    drop(client);
    check_plans(&store).await;
}
