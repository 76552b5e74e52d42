//! PostgreSQL against the suite, and what is PostgreSQL's own.

mod changes;
mod ground;
mod plans;
mod plans_log;
mod two_nodes;
mod upkeep;

pub(crate) use ground::Database;

use crate::conformance;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_conforms() {
    conformance::catalogue::suite(Database::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_conform() {
    conformance::deliveries::suite(Database::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_conforms() {
    conformance::journal::suite(Database::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_conforms() {
    conformance::log::suite(Database::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_conform() {
    conformance::keys::suite(Database::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_conform() {
    conformance::answers::suite(Database::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upkeep_conforms() {
    conformance::upkeep::suite(Database::new).await;
}
