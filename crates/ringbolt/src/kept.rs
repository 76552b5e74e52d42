//! The store, of whichever kind is configured.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use ringbolt_model::Clock;
use ringbolt_store::{OpenError, PostgresOpenError, PostgresStore, SqliteStore, Store};

use crate::config::Config;
use crate::config::value::StoreUrl;
use crate::first_start::Secrets;
use crate::ownership::denied;
use crate::wiring;

/// The store.
#[derive(Clone)]
pub(crate) enum Kept {
    /// In one file.
    Sqlite(Arc<SqliteStore>),
    /// In a database that nodes share.
    Postgres(Arc<PostgresStore>),
}

impl Kept {
    /// Opens the store.
    ///
    /// # Errors
    /// If it cannot be opened, with the way out.
    pub(crate) async fn open(
        config: &Config,
        secrets: &Secrets,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        match &config.general.store {
            StoreUrl::Sqlite(path) => {
                let settings = wiring::sqlite(config, path, &secrets.keys, clock);
                let store = SqliteStore::open(settings)
                    .map_err(|why| explained(config, secrets, path, why))?;
                Ok(Self::Sqlite(Arc::new(store)))
            }
            StoreUrl::Postgres(address) => {
                let settings = wiring::postgres(config, address, &secrets.keys, clock);
                let opened = PostgresStore::open(settings).await;
                let store = opened.map_err(|why| explained_of_postgres(config, why))?;
                Ok(Self::Postgres(Arc::new(store)))
            }
        }
    }

    /// What it can do.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => store.clone(),
            Self::Postgres(store) => store.clone(),
        }
    }

    /// Writes what is queued and ends it.
    pub(crate) async fn close(self) {
        match self {
            // It blocks until what is queued is on disk.
            Self::Sqlite(store) => {
                if let Err(why) = tokio::task::spawn_blocking(move || store.close()).await {
                    tracing::error!(error = %why, "the store did not close");
                }
            }
            Self::Postgres(store) => store.close().await,
        }
    }
}

fn explained(config: &Config, secrets: &Secrets, path: &Path, why: OpenError) -> anyhow::Error {
    match why {
        OpenError::WrongKey | OpenError::NoKey => unusable_key(config, secrets, &why),
        why => {
            let whose = not_ours_to_open(path);
            let shown = path.display();
            anyhow::Error::new(why).context(format!("cannot open the store {shown}{whose}"))
        }
    }
}

fn explained_of_postgres(config: &Config, why: PostgresOpenError) -> anyhow::Error {
    let shown = config.store_shown();
    match &why {
        PostgresOpenError::WrongKey | PostgresOpenError::NoKey => {
            let why = format!("cannot open the store {shown}: {why}");
            config.unusable("encryption_key", &why).into()
        }
        PostgresOpenError::Tls(_) => {
            let why = format!("cannot open the store {shown}: {why}");
            config.unusable("store", &why).into()
        }
        _ => anyhow::Error::new(why).context(format!("cannot open the store {shown}")),
    }
}

/// Whose the first of the store's files is that this process may not open, if there is one.
fn not_ours_to_open(store: &Path) -> String {
    let beside = |end: &str| {
        let mut name = store.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let files = ["", ".lock", "-wal", "-shm"].map(beside);
    denied(&files, true)
}

/// The error that says whose key it is that does not fit.
fn unusable_key(config: &Config, secrets: &Secrets, why: &OpenError) -> anyhow::Error {
    let file = secrets.key_file.as_ref();
    let from = file.map(|file| format!(" (file {})", file.display()));
    let store = config.store_shown();
    let why = format!(
        "cannot open the store {store}: {why}{}",
        from.unwrap_or_default()
    );
    config.unusable("encryption_key", &why).into()
}

/// The file of the store, for what works on a file alone.
///
/// # Errors
/// If it is in PostgreSQL; `instead` says what to use.
pub(crate) fn file<'c>(config: &'c Config, what: &str, instead: &str) -> anyhow::Result<&'c Path> {
    config.store_file().with_context(|| {
        let shown = config.store_shown();
        format!("the store is {shown}: {what} works on a SQLite file, {instead}")
    })
}
