//! Once a second: the lease is renewed, what others changed is read, and what is gone is taken over.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Peers;
use super::hearing::{CHANGES, Change};
use crate::News;
use crate::lease::{self, Reach, Walk};
use crate::postgres::Fault;
use crate::postgres::column::{get, time};
use crate::postgres::link::params;
use crate::postgres::membership::{micros, uptime};
use crate::postgres::partitions::Days;

/// How often days are made ahead.
const DAYS_EVERY: u32 = 600;
/// The longest that taking over goes on before the lease is renewed again.
const TURN: Duration = Duration::from_millis(500);

/// What the pulse remembers.
struct Pulse {
    peers: Arc<Peers>,
    days: Arc<Days>,
    reach: Reach,
    /// Changes that were told.
    told: BTreeSet<i64>,
    /// Whether changes may have been missed.
    missed: bool,
    walks: HashMap<i64, Walk>,
    beats: u32,
}

/// Runs until the store is closed.
pub(super) async fn run(peers: Arc<Peers>, days: Arc<Days>, closing: CancellationToken) {
    let every = lease::renewed_every(peers.settings.lease);
    let mut pulse = Pulse {
        peers,
        days,
        reach: Reach::begun(uptime()),
        told: BTreeSet::new(),
        missed: false,
        walks: HashMap::new(),
        beats: 0,
    };
    loop {
        let fence_met = pulse.peers.hot.fence_met.notified();
        let ended = tokio::select! {
            () = closing.cancelled() => true,
            () = fence_met => false,
            () = tokio::time::sleep(every) => false,
        };
        if ended {
            return;
        }
        let limit = pulse.peers.settings.lease;
        let beat = timeout(limit, pulse.beat()).await;
        if let Ok(Err(fault)) = &beat {
            tracing::debug!(?fault, "the database did not answer the pulse");
        }
        if !matches!(beat, Ok(Ok(()))) {
            pulse.reach.lost();
            pulse.missed = true;
        }
    }
}

impl Pulse {
    async fn beat(&mut self) -> Result<(), Fault> {
        // A writer may learn of the end of an earlier incarnation when this one has begun: what it has fenced off is lost
        // to this node, so that it becomes another once more.
        if !self.renew().await? || self.peers.hot.is_fenced() {
            self.begin_anew().await?;
            return Ok(());
        }
        self.peers.hot.reached();
        self.reach.answered(uptime());
        self.hear_of_changes().await?;
        self.beats = self.beats.wrapping_add(1);
        if self.beats.is_multiple_of(DAYS_EVERY) {
            let client = self.peers.client().await?;
            let now = self.peers.settings.clock.now();
            self.days.make(self.peers.link(&client), now).await?;
        }
        self.take_over().await
    }

    /// Renews the lease; says `false` if others have taken over.
    async fn renew(&self) -> Result<bool, Fault> {
        let peers = &self.peers;
        let begun = uptime();
        let sql = "UPDATE node SET lease_until = now() + $2 * interval '1 microsecond', lanes = $3, in_flight = $4, \
                pending = $5 WHERE incarnation = $1 AND alive \
            RETURNING (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let client = peers.client().await?;
        let (own, lease) = (
            peers.membership.incarnation(),
            micros(peers.settings.lease) as f64,
        );
        let load = *peers.membership.load.lock();
        let [lanes, in_flight, pending] =
            [load.lanes, load.in_flight, load.pending].map(u64::cast_signed);
        let row = peers
            .link(&client)
            .maybe(sql, params![own, lease, lanes, in_flight, pending])
            .await?;
        let Some(row) = row else { return Ok(false) };
        peers
            .membership
            .note_clock(peers.settings.clock.now(), time(&row, 0)?);
        peers.membership.renewed(begun, peers.settings.lease);
        Ok(true)
    }

    /// Others have taken over: this node becomes another, and whoever holds what the one before had drops it.
    async fn begin_anew(&mut self) -> Result<(), Fault> {
        let peers = &self.peers;
        peers.hot.fence();
        peers.membership.lapse();
        peers.tell(News::Disowned);
        let client = peers.client().await?;
        let link = peers.link(&client);
        if let Err(error) = peers.membership.join_anew(link, &peers.settings).await {
            tracing::error!(%error, "this node cannot join the others again");
            return Ok(());
        }
        self.missed = true;
        self.peers.hot.lift_fence();
        Ok(())
    }

    /// Tells of what others changed in the last seconds, whether or not a notification came.
    async fn hear_of_changes(&mut self) -> Result<(), Fault> {
        let client = self.peers.client().await?;
        let rows = self.peers.link(&client).all(CHANGES, params![]).await?;
        drop(client);
        if std::mem::take(&mut self.missed) {
            self.peers.tell(News::Everything);
        }
        let own = self.peers.membership.incarnation();
        let mut seen = BTreeSet::new();
        for row in &rows {
            let seq: i64 = get(row, 0)?;
            seen.insert(seq);
            if self.told.contains(&seq) {
                continue;
            }
            let change = Change::read(row)?;
            if change.origin != own {
                self.peers.tell_of(&change);
            }
        }
        self.told = seen;
        Ok(())
    }

    /// Fences off whoever is gone, and takes over what fits into a short turn. After an outage of the database nobody is
    /// gone until it has been there for a whole lease: they all had no chance to renew theirs.
    async fn take_over(&mut self) -> Result<(), Fault> {
        let begun = uptime();
        if self.reach.is_long(begun, self.peers.settings.lease) {
            self.peers.fence_lapsed(Duration::ZERO).await?;
        }
        let dead = self.peers.dead().await?;
        self.walks.retain(|node, _| dead.contains(node));
        for node in dead {
            let walk = self.walks.entry(node).or_default();
            loop {
                let now = self.peers.settings.clock.steady();
                let taken = self.peers.take_page(node, walk, now).await?;
                if !taken.lanes.is_empty() {
                    self.peers.tell(News::Lanes(taken.lanes));
                }
                if !taken.more {
                    self.peers.forget(node).await?;
                    break;
                }
                if uptime() - begun > micros(TURN) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
