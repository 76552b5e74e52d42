//! One step of tidying: a bounded transaction of small things, then at most one day that is dropped.

use std::time::Duration;

use parking_lot::Mutex;
use ringbolt_model::{Timestamp, id};

use super::applications;
use super::content;
use super::days;
use super::endpoints::{self, Tombstones};
use super::leftovers::{self, OldKeys};
use super::parked::{self, Parked};
use super::passed_by;
use super::rest::{self, Rests};
use crate::Tidied;
use crate::postgres::column::{get, to_column};
use crate::postgres::deliveries::prove;
use crate::postgres::link::{Link, params};
use crate::postgres::{Fault, PostgresStore};

/// Held by the one node that tidies, while it does: `Rtdy`.
const LOCK: i32 = 0x5274_6479;

/// Where the walks of tidying are.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Tidying(Mutex<Walks>);

#[derive(Debug, Default, Clone)]
struct Walks {
    parked: Parked,
    tombstones: Tombstones,
    keys: OldKeys,
    rests: Rests,
}

/// What a step is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// When it is.
    pub(super) now: Timestamp,
    /// What was made before this is past retention.
    pub(super) oldest: Timestamp,
    /// Messages with smaller ids are.
    pub(super) horizon: i64,
    /// Who counts what ends.
    pub(super) counter: i32,
}

impl Bounds {
    fn of(store: &PostgresStore, now: Timestamp) -> Self {
        let oldest = now - store.settings.retention;
        // Whole seconds: what changes nothing is not written.
        let oldest = Timestamp::from_seconds(oldest.as_seconds());
        Self {
            now,
            oldest,
            horizon: to_column(id::at_millisecond(oldest)),
            counter: store.membership.rare_counter(),
        }
    }

    /// The smallest id of what was made within a span before now.
    pub(super) fn first_within(&self, span: Duration) -> i64 {
        to_column(id::at_millisecond(self.now - span))
    }
}

/// Adds what another part of the step did.
pub(super) const fn add(to: &mut Tidied, part: Tidied) {
    to.rows += part.rows;
    to.expired += part.expired;
    to.more |= part.more;
}

impl PostgresStore {
    /// One step of tidying. Nothing is done while another node does it.
    pub(super) async fn tidy_step(&self, now: Timestamp) -> Result<Tidied, Fault> {
        let bounds = Bounds::of(self, now);
        let mut client = self.client().await?;
        self.days.make(self.link(&client), now).await?;
        let transaction = client.transaction().await?;
        let link = self.within(&transaction);
        if !is_alone(link).await? {
            return Ok(Tidied::default());
        }
        let mut walks = self.tidying.0.lock().clone();
        let small = match self.tidy_small(link, &bounds, &mut walks).await {
            Ok(small) => small,
            Err(fault) => return passed_by(fault),
        };
        transaction.commit().await?;
        *self.tidying.0.lock() = walks;
        let mut tidied = small;
        let day = match days::drop_one(self, &mut client, &bounds).await {
            Ok(day) => day,
            Err(fault) => passed_by(fault)?,
        };
        add(&mut tidied, day);
        Ok(tidied)
    }

    /// All that is done by the row.
    async fn tidy_small(
        &self,
        link: Link<'_>,
        bounds: &Bounds,
        walks: &mut Walks,
    ) -> Result<Tidied, Fault> {
        prove(link, self.membership.incarnation()).await?;
        let mut tidied = Tidied::default();
        add(
            &mut tidied,
            parked::end(link, bounds, &mut walks.parked).await?,
        );
        add(&mut tidied, content::expire(link, bounds).await?);
        raise_horizon(link, bounds.horizon).await?;
        add(
            &mut tidied,
            leftovers::remove(link, bounds, &mut walks.keys).await?,
        );
        add(
            &mut tidied,
            endpoints::walk(link, bounds, &mut walks.tombstones).await?,
        );
        add(&mut tidied, applications::remove(link).await?);
        add(
            &mut tidied,
            rest::walk(link, bounds, &mut walks.rests).await?,
        );
        Ok(tidied)
    }
}

/// Whether no other node tidies; none begins to until the transaction ends.
pub(super) async fn is_alone(link: Link<'_>) -> Result<bool, Fault> {
    let row = link
        .one(
            "SELECT pg_try_advisory_xact_lock($1, hashtext(current_schema()))",
            params![LOCK],
        )
        .await?;
    get(&row, 0)
}

async fn raise_horizon(link: Link<'_>, horizon: i64) -> Result<(), Fault> {
    let sql = "UPDATE house SET horizon = $1 WHERE horizon < $1";
    link.run(sql, params![horizon]).await.map(drop)
}
