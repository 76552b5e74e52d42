//! Who this node is: its incarnation, its slot, and how long its lease holds.

use std::sync::atomic::{AtomicI64, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use ringbolt_model::{Timestamp, id};
use rustix::time::{ClockId, clock_gettime};
use tokio_postgres::error::SqlState;

use super::Fault;
use super::column::get;
use super::link::{Link, params};
use super::open::PostgresOpenError;
use super::settings::PostgresSettings;
use crate::NodeLoad;
use crate::lease::Held;
pub(super) use crate::lease::micros;

/// For so long after its last lease a slot is not given to another node: what it made of ids lies behind.
const REST: Duration = Duration::from_secs(60);

/// Who this node is. After others have taken over what it had it becomes another.
#[derive(Debug)]
pub(super) struct Membership {
    incarnation: AtomicU64,
    slot: AtomicU16,
    lease: Held,
    /// By how much this node's clock is ahead of the database's, in microseconds.
    ahead: AtomicI64,
    /// An id that none in the database exceeded when this node joined.
    floor: AtomicU64,
    pub(super) load: Mutex<NodeLoad>,
}

/// What a node that joins is given.
struct Joined {
    incarnation: i64,
    slot: i16,
    now: i64,
}

impl Membership {
    /// Joins the nodes.
    pub(super) async fn join(
        link: Link<'_>,
        settings: &PostgresSettings,
    ) -> Result<Self, PostgresOpenError> {
        let this = Self {
            incarnation: AtomicU64::new(0),
            slot: AtomicU16::new(0),
            lease: Held::default(),
            ahead: AtomicI64::new(0),
            floor: AtomicU64::new(0),
            load: Mutex::default(),
        };
        this.join_anew(link, settings).await?;
        Ok(this)
    }

    /// Joins as another incarnation.
    pub(super) async fn join_anew(
        &self,
        link: Link<'_>,
        settings: &PostgresSettings,
    ) -> Result<(), PostgresOpenError> {
        let begun = uptime();
        let joined = loop {
            match insert(link, settings).await {
                Ok(Some(joined)) => break joined,
                Ok(None) => return Err(PostgresOpenError::TooManyNodes),
                // Another node was given the same slot at the same moment.
                Err(fault) if fault.code() == Some(&SqlState::UNIQUE_VIOLATION) => {}
                Err(fault) => return Err(fault.into()),
            }
        };
        for writer in 0..WRITERS {
            let sql = "INSERT INTO writer (incarnation, number) VALUES ($1, $2)";
            link.run(sql, params![joined.incarnation, writer]).await?;
        }
        let now = Timestamp::from_micros(joined.now);
        self.incarnation
            .store(joined.incarnation.cast_unsigned(), Relaxed);
        self.slot.store(joined.slot.cast_unsigned(), Relaxed);
        self.floor.store(id::at_millisecond(now), Relaxed);
        self.note_clock(settings.clock.now(), now);
        self.renewed(begun, settings.lease);
        Ok(())
    }

    /// The fencing number.
    pub(super) fn incarnation(&self) -> i64 {
        self.incarnation.load(Relaxed).cast_signed()
    }

    /// The number in ids.
    pub(super) fn slot(&self) -> u16 {
        self.slot.load(Relaxed)
    }

    /// The row in each counter for what the hot path's writers do not write.
    pub(super) fn rare_counter(&self) -> i32 {
        i32::from(self.slot()) * 16 + 15
    }

    /// An id that none in the database exceeded when this node joined.
    pub(super) fn floor(&self) -> u64 {
        self.floor.load(Relaxed)
    }

    /// The lease was renewed by a request that began at this moment.
    pub(super) fn renewed(&self, begun: i64, lease: Duration) {
        self.lease.renewed(begun, lease);
    }

    /// The lease is over.
    pub(super) fn lapse(&self) {
        self.lease.lapse();
    }

    /// Whether the lease holds still.
    pub(super) fn holds(&self) -> bool {
        self.lease.holds(uptime())
    }

    /// Compares the clocks.
    pub(super) fn note_clock(&self, ours: Timestamp, theirs: Timestamp) {
        self.ahead
            .store(ours.as_micros() - theirs.as_micros(), Relaxed);
    }

    /// By how much the clocks differ.
    pub(super) fn clocks_differ_by(&self) -> Duration {
        Duration::from_micros(self.ahead.load(Relaxed).unsigned_abs())
    }
}

/// How many connections write the hot path: two accept, one records outcomes.
pub(super) const WRITERS: i16 = 3;

async fn insert(link: Link<'_>, settings: &PostgresSettings) -> Result<Option<Joined>, Fault> {
    let sql = "INSERT INTO node (incarnation, slot, alive, name, address, version, started_at, lease_until) \
        SELECT nextval('incarnation'), free.slot, true, $1, $2, $3, now(), now() + $4 * interval '1 microsecond' \
        FROM (SELECT s::smallint AS slot FROM generate_series(0, 1023) s \
            WHERE NOT EXISTS (SELECT 1 FROM node n WHERE n.slot = s \
                AND (n.alive OR n.lease_until > now() - $5 * interval '1 microsecond')) \
            ORDER BY s LIMIT 1) free \
        RETURNING incarnation, slot, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let node = &settings.node;
    let (lease, rest) = (micros(settings.lease) as f64, micros(REST) as f64);
    let (name, address, version) = (&node.name, &node.address, &node.version);
    let found = link
        .maybe(sql, params![*name, *address, *version, lease, rest])
        .await?;
    let Some(row) = found else {
        return Ok(None);
    };
    Ok(Some(Joined {
        incarnation: get(&row, 0)?,
        slot: get(&row, 1)?,
        now: get(&row, 2)?,
    }))
}

/// Microseconds since the machine was switched on, those of its sleep included.
pub(super) fn uptime() -> i64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}
