//! How large the database is: asked for now and then, so that whoever reads it need not wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::postgres::column::get;
use crate::postgres::link::{Link, params};
use crate::postgres::membership::{micros, uptime};
use crate::postgres::{Fault, PostgresStore};

/// How long a size is good for.
const EVERY: Duration = Duration::from_secs(10);

/// What was measured last.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Measured {
    on_disk: AtomicU64,
    /// When it is to be measured again, by the clock of [`uptime`].
    again: AtomicI64,
}

impl Measured {
    /// Measures for the first time.
    pub(in crate::postgres) async fn first(link: Link<'_>) -> Result<Self, Fault> {
        let this = Self::default();
        this.again.store(uptime() + micros(EVERY), Relaxed);
        this.measure(link).await?;
        Ok(this)
    }

    /// How many bytes the database takes.
    pub(super) fn on_disk(&self) -> u64 {
        self.on_disk.load(Relaxed)
    }

    async fn measure(&self, link: Link<'_>) -> Result<(), Fault> {
        let sql = "SELECT pg_database_size(current_database())";
        let size: i64 = get(&link.one(sql, params![]).await?, 0)?;
        self.on_disk.store(size.unsigned_abs(), Relaxed);
        Ok(())
    }

    /// Whether it is time to measure again: says so once.
    fn is_old(&self) -> bool {
        let (now, again) = (uptime(), self.again.load(Relaxed));
        let next = now + micros(EVERY);
        now >= again
            && self
                .again
                .compare_exchange(again, next, Relaxed, Relaxed)
                .is_ok()
    }
}

impl PostgresStore {
    /// Has the database measured again, if that was long ago; the one who reads next sees it.
    pub(super) fn measure_when_old(&self) {
        if tokio::runtime::Handle::try_current().is_err() || !self.measured.is_old() {
            return;
        }
        let (pool, measured) = (self.pool.clone(), Arc::clone(&self.measured));
        let named = self.settings.named_statements;
        self.tasks.spawn(async move {
            if let Ok(client) = pool.get().await
                && let Err(fault) = measured.measure(Link::of(&client, named)).await
            {
                tracing::debug!(?fault, "the database could not be measured");
            }
        });
    }
}
