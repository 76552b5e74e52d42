//! A schema of its own for each store, on a server that all tests of a run share: it takes a fraction of what a database does.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::conformance::{Ground, StillClock};
use crate::{PostgresSettings, PostgresStore, Store};

/// The key of every store in tests.
pub(crate) const KEY: [u8; 32] = [5; 32];

/// The server: that of the whole run, or one of this process, which goes with it.
fn server() -> &'static str {
    static SERVER: OnceLock<(String, Option<Child>)> = OnceLock::new();
    let (address, _child) = SERVER.get_or_init(|| {
        if let Some(address) = option_of("RINGBOLT_TEST_POSTGRES") {
            return (address, None);
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/with-postgres");
        let mut child = Command::new(script)
            .args(["sh", "-c", "echo $RINGBOLT_TEST_POSTGRES; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script runs");
        let mut address = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output)
            .read_line(&mut address)
            .expect("it says where the server is");
        assert!(!address.trim().is_empty(), "PostgreSQL did not start");
        (address.trim().to_owned(), Some(child))
    });
    address
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told of their server so"
)]
fn option_of(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A store in a schema of its own.
pub(crate) struct Database {
    pub(crate) store: Arc<PostgresStore>,
    pub(crate) name: String,
}

/// Waits in a test that has a runtime with several threads.
fn wait<F: Future>(future: F) -> F::Output {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

impl Database {
    /// A new one.
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        wait(async {
            let (client, connection) = tokio_postgres::connect(server(), tokio_postgres::NoTls)
                .await
                .expect("the server answers");
            let sql = format!("CREATE SCHEMA {name}");
            let made = async { client.batch_execute(&sql).await.expect("it is made") };
            tokio::select! {
                () = made => {}
                _ended = connection => panic!("the server has gone"),
            }
        });
        let store = Arc::new(Self::open(&name));
        Self { store, name }
    }

    fn open(name: &str) -> PostgresStore {
        wait(PostgresStore::open(Self::settings(name))).expect("it opens")
    }

    /// Settings with small bounds.
    pub(crate) fn settings(name: &str) -> PostgresSettings {
        let address = format!("{}?options=-csearch_path%3D{name}", server());
        PostgresSettings {
            max_endpoints_per_app: 20,
            accept_queue: 200,
            connections: 6,
            clock_tolerance: Duration::MAX,
            ..PostgresSettings::new(
                address.parse().expect("an address"),
                vec![KEY],
                Arc::new(StillClock),
            )
        }
    }
}

impl Ground for Database {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn after_crash(&self) -> Box<dyn Ground> {
        wait(self.store.die());
        Box::new(Self {
            store: Arc::new(Self::open(&self.name)),
            name: self.name.clone(),
        })
    }
}
