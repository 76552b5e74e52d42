//! SQLite against the suite, and what is SQLite's own: files, faults, crashes.

mod bad_days;
mod copying;
mod files;
mod ground;
mod model;

pub(crate) use ground::{KEY, TempStore, settings};

use crate::conformance;

#[tokio::test]
async fn the_catalogue_conforms() {
    conformance::catalogue::suite(TempStore::new).await;
}

#[tokio::test]
async fn deliveries_conform() {
    conformance::deliveries::suite(TempStore::new).await;
}

#[tokio::test]
async fn the_journal_conforms() {
    conformance::journal::suite(TempStore::new).await;
}

#[tokio::test]
async fn the_log_conforms() {
    conformance::log::suite(TempStore::new).await;
}

#[tokio::test]
async fn keys_conform() {
    conformance::keys::suite(TempStore::new).await;
}

#[tokio::test]
async fn answers_conform() {
    conformance::answers::suite(TempStore::new).await;
}

#[tokio::test]
async fn upkeep_conforms() {
    conformance::upkeep::suite(TempStore::new).await;
}
