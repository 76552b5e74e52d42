//! The contract on PostgreSQL: any number of nodes on one database.

mod answers;
mod catalogue;
mod certificates;
mod cluster;
mod column;
mod connect;
mod deliveries;
mod fault;
mod journal;
mod keys;
mod link;
mod log;
mod membership;
mod migrations;
mod open;
mod pages;
mod partitions;
mod settings;
#[cfg(test)]
mod tests;
mod upkeep;

use std::sync::Arc;

use deadpool_postgres::{Client, Pool};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use fault::Fault;
pub use open::{PostgresLook, PostgresOpenError, look, migrate};
pub use settings::{AddressError, PostgresAddress, PostgresSettings, Trust};

use crate::vault::Vault;
use link::Link;
use membership::Membership;
use partitions::Days;

/// A node's store in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    pub(crate) settings: Arc<PostgresSettings>,
    /// Seals and opens what is encrypted at rest.
    vault: Arc<Vault>,
    pool: Pool,
    /// Which days have partitions.
    days: Arc<Days>,
    /// Who this node is, and whether it may act.
    membership: Arc<Membership>,
    /// What the hot path's writers and their callers share.
    hot: Arc<journal::Hot>,
    /// What it takes to be one of several nodes.
    peers: Arc<cluster::Peers>,
    /// Where the walks of keeping it in order are, and what they found.
    tidying: upkeep::Tidying,
    reencrypting: upkeep::Reencrypting,
    measured: Arc<upkeep::Measured>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl PostgresStore {
    /// Connects, brings the schema up to date, and joins the nodes.
    ///
    /// # Errors
    /// [`PostgresOpenError`].
    pub async fn open(mut settings: PostgresSettings) -> Result<Self, PostgresOpenError> {
        let vault = Arc::new(Vault::new(&settings.keys).ok_or(PostgresOpenError::NoKey)?);
        settings.keys = zeroize::Zeroizing::new(Vec::new());
        let settings = Arc::new(settings);
        let named = settings.named_statements;
        let pool = connect::pool(&settings.address, settings.connections - 1, named)?;
        // The lease does not wait for a connection that requests have taken.
        let own_pool = connect::pool(&settings.address, 1, named)?;
        let days = Arc::new(Days::default());
        let client = pool.get().await?;
        let link = Link::of(&client, settings.named_statements);
        migrations::migrate(link).await?;
        open::check_key(link, &vault).await?;
        days.make(link, settings.clock.now()).await?;
        let membership = Arc::new(Membership::join(link, &settings).await?);
        let measured = Arc::new(upkeep::Measured::first(link).await?);
        drop(client);
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        let hot = Arc::new(journal::Hot::new(&settings));
        let peers = Arc::new(cluster::Peers::new(&own_pool, &settings, &membership, &hot));
        let store = Self {
            settings,
            vault,
            pool,
            days,
            membership,
            hot,
            peers,
            tidying: upkeep::Tidying::default(),
            reencrypting: upkeep::Reencrypting::default(),
            measured,
            tasks,
            closing,
        };
        store.start_writers();
        store.start_membership();
        Ok(store)
    }

    /// Writes what is queued, gives up the lease and ends. What is asked of the store afterwards is answered as
    /// unavailable.
    pub async fn close(&self) {
        self.hot.close();
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.pool.close();
    }

    /// What a node leaves behind that is killed: nothing is written any more, and its lease has lapsed.
    #[cfg(test)]
    pub(crate) async fn die(&self) {
        self.hot.kill();
        self.closing.cancel();
        let client = self.client().await.expect("the database answers");
        let sql = "UPDATE node SET lease_until = now() - interval '1 hour' WHERE incarnation = $1";
        let own = self.membership.incarnation();
        let gone = self.link(&client).run(sql, link::params![own]).await;
        gone.expect("it is written");
    }

    /// A connection, for a while.
    async fn client(&self) -> Result<Client, Fault> {
        Ok(self.pool.get().await?)
    }

    /// What runs statements on it.
    fn link<'c>(&self, client: &'c Client) -> Link<'c> {
        Link::of(client, self.settings.named_statements)
    }

    /// What runs statements in a transaction.
    fn within<'c>(&self, transaction: &'c deadpool_postgres::Transaction<'_>) -> Link<'c> {
        Link::within(transaction, self.settings.named_statements)
    }
}

impl Drop for PostgresStore {
    /// Whoever writes ends when it has written what it has; nobody waits for that.
    fn drop(&mut self) {
        self.hot.close();
        self.closing.cancel();
    }
}
