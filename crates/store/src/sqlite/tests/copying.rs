//! The write-ahead log is copied into the database while messages go on coming.

use std::path::Path;
use std::time::Duration;

use super::TempStore;
use crate::conformance::Bench;

/// Which log it is: SQLite counts in its head how often it was begun anew.
fn log_number(path: &Path) -> Vec<u8> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    std::fs::read(name).unwrap()[16..20].to_vec()
}

#[tokio::test]
async fn the_log_is_begun_anew_while_messages_come() {
    let ground = TempStore::new();
    let path = ground.store.path.clone();
    let bench = Bench::on(ground).await;
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let first = log_number(&path);
    let sending = async {
        let mut sent = 0;
        while log_number(&path) == first {
            let mut message = bench.message(app);
            message.payload = Some(vec![b'1'; 100_000].into());
            let accept = bench.to_accept(message, &[endpoint]);
            bench.accept(accept).await.unwrap();
            sent += 1;
        }
        sent
    };
    let limit = Duration::from_secs(120);
    let sent: u32 = tokio::time::timeout(limit, sending).await.unwrap();
    assert!(sent > 20, "not before it is worth it: {sent} messages");
}
