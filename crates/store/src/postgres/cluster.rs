//! The nodes of a database: each shows that it is alive once a second, learns what the others have changed, and takes
//! over from those that are gone.

mod adoption;
pub(super) mod hearing;
mod pulse;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Client, Pool};
use ringbolt_model::Timestamp;
use tokio_util::sync::CancellationToken;

use super::column::{get, time};
use super::journal::Hot;
use super::link::{Link, params};
use super::membership::{Membership, micros};
use super::settings::PostgresSettings;
use super::{Fault, PostgresStore};
use crate::{Cluster, Ear, News, Node, NodeLoad, StoreError};

/// What it takes to be one of several nodes.
pub(super) struct Peers {
    pub(super) pool: Pool,
    pub(super) settings: Arc<PostgresSettings>,
    pub(super) membership: Arc<Membership>,
    pub(super) hot: Arc<Hot>,
    ear: OnceLock<Ear>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Peers")
    }
}

impl Peers {
    pub(super) fn new(
        pool: &Pool,
        settings: &Arc<PostgresSettings>,
        membership: &Arc<Membership>,
        hot: &Arc<Hot>,
    ) -> Self {
        Self {
            pool: pool.clone(),
            settings: Arc::clone(settings),
            membership: Arc::clone(membership),
            hot: Arc::clone(hot),
            ear: OnceLock::new(),
        }
    }

    async fn client(&self) -> Result<Client, Fault> {
        Ok(self.pool.get().await?)
    }

    fn link<'c>(&self, client: &'c Client) -> Link<'c> {
        Link::of(client, self.settings.named_statements)
    }

    fn within<'c>(&self, transaction: &'c deadpool_postgres::Transaction<'_>) -> Link<'c> {
        Link::within(transaction, self.settings.named_statements)
    }

    fn tell(&self, news: News) {
        if let Some(ear) = self.ear.get() {
            ear(news);
        }
    }
}

impl PostgresStore {
    /// Starts what keeps this node among the others.
    pub(super) fn start_membership(&self) {
        let closing: CancellationToken = self.closing.clone();
        let pulse = pulse::run(
            Arc::clone(&self.peers),
            Arc::clone(&self.days),
            closing.clone(),
        );
        self.tasks.spawn(pulse);
        self.tasks
            .spawn(hearing::run(Arc::clone(&self.peers), closing));
    }
}

#[async_trait]
impl Cluster for PostgresStore {
    fn hear(&self, ear: Ear) {
        let first = self.peers.ear.set(ear).is_ok();
        assert!(first, "news are told to one, set once");
    }

    fn slot(&self) -> u16 {
        self.membership.slot()
    }

    fn may_send(&self) -> bool {
        self.membership.holds()
    }

    fn may_accept(&self) -> Result<(), StoreError> {
        if !self.membership.holds() {
            let why = "the lease of this node has run out: the database was not reached in time";
            return Err(StoreError::Unavailable(why.into()));
        }
        let differ = self.membership.clocks_differ_by();
        if differ > self.settings.clock_tolerance {
            let why = format!(
                "the clock of this node and the database's differ by {} s",
                differ.as_secs()
            );
            return Err(StoreError::Unavailable(why));
        }
        Ok(())
    }

    fn report(&self, load: NodeLoad) {
        *self.membership.load.lock() = load;
    }

    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        let client = self.client().await?;
        let sql = "SELECT incarnation, slot, name, address, version, \
                (extract(epoch FROM started_at) * 1000000)::bigint, \
                (extract(epoch FROM lease_until) * 1000000)::bigint, \
                CASE WHEN alive THEN (extract(epoch FROM lease_until - now()) * 1000000)::bigint ELSE 0 END, \
                lanes, in_flight, pending \
            FROM node ORDER BY incarnation";
        let rows = self.link(&client).all(sql, params![]).await?;
        let node = |row| self.node(row);
        Ok(rows.iter().map(node).collect::<Result<_, Fault>>()?)
    }

    async fn leave(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        let sql = "UPDATE node SET lease_until = now() - interval '2 minutes' WHERE incarnation = $1 AND alive";
        let own = self.membership.incarnation();
        self.link(&client).run(sql, params![own]).await?;
        Ok(())
    }
}

impl PostgresStore {
    fn node(&self, row: &tokio_postgres::Row) -> Result<Node, Fault> {
        let incarnation: i64 = get(row, 0)?;
        let lease = micros(self.settings.lease);
        let until = get::<i64>(row, 6)?;
        let left = u64::try_from(get::<i64>(row, 7)?).unwrap_or(0);
        let count = |column| Ok::<_, Fault>(get::<i64>(row, column)?.unsigned_abs());
        Ok(Node {
            incarnation: incarnation.cast_unsigned(),
            slot: get::<i16>(row, 1)?.cast_unsigned(),
            name: get(row, 2)?,
            address: get(row, 3)?,
            version: get(row, 4)?,
            started_at: time(row, 5)?,
            seen_at: Timestamp::from_micros(until - lease),
            lease_left: Some(Duration::from_micros(left)),
            is_this: incarnation == self.membership.incarnation(),
            load: NodeLoad {
                lanes: count(8)?,
                in_flight: count(9)?,
                pending: count(10)?,
            },
        })
    }
}
