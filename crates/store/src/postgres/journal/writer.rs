//! What every writer has: a connection, the number of their last transaction, and what to do when it is in doubt.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use ringbolt_model::{Clock, Timestamp};
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::Hot;
use super::hand::{Failed, Hand, Step};
use super::parts::Part;
use super::statements::{LAST_BATCH, PROVE};
use crate::lease::{Count, Turn, longest_transaction, was_committed};
use crate::postgres::membership::Membership;
use crate::postgres::settings::PostgresSettings;
use crate::postgres::{Fault, PostgresStore};

/// How long a writer waits before it connects again, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A writer of the hot path.
pub(super) struct Writer {
    pub(super) hot: Arc<Hot>,
    pub(super) membership: Arc<Membership>,
    pub(super) settings: Arc<PostgresSettings>,
    pool: Pool,
    hand: Option<Hand>,
    count: Count,
    pause: Duration,
    /// Before this nobody tries to connect again.
    not_before: Timestamp,
}

/// What proves the lease, and belongs to one transaction.
pub(super) struct Proof(Turn);

impl Proof {
    /// What a transaction begins with.
    pub(super) fn part(&self) -> Part<'_> {
        let values = self.values();
        let sql = &PROVE;
        Part { sql, values }
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![&self.0.incarnation, &self.0.number, &self.0.batch]
    }

    /// Which transaction it belongs to.
    pub(super) const fn turn(&self) -> &Turn {
        &self.0
    }

    /// Whose rows these are.
    pub(super) const fn owner(&self) -> i64 {
        self.0.incarnation
    }
}

impl Writer {
    pub(super) fn new(store: &PostgresStore, number: i16) -> Self {
        Self {
            hot: Arc::clone(&store.hot),
            membership: Arc::clone(&store.membership),
            settings: Arc::clone(&store.settings),
            pool: store.pool.clone(),
            hand: None,
            count: Count::new(number),
            pause: AGAIN.0,
            not_before: Timestamp::from_micros(i64::MIN),
        }
    }

    /// The row of this writer's in each counter.
    pub(super) fn counter(&self) -> i32 {
        i32::from(self.membership.slot()) * 16 + i32::from(self.count.number())
    }

    /// Where it reads the time.
    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.settings.clock
    }

    /// Begins another transaction: what it is proved with.
    pub(super) fn next(&mut self) -> Proof {
        Proof(self.count.next(self.membership.incarnation()))
    }

    /// The connection; it is made if there is none.
    pub(super) async fn hand(&mut self) -> Result<&Hand, Fault> {
        if self.hand.as_ref().is_some_and(Hand::is_broken) {
            self.let_go();
        }
        if self.hand.is_none() {
            let now = self.clock().steady();
            if now < self.not_before {
                let why = "the database could not be reached a moment ago";
                return Err(Fault::Unreachable(why.into()));
            }
            let named = self.settings.named_statements;
            let take = Hand::take(&self.pool, named);
            let taken = timeout(self.limit(), take).await;
            let taken = taken.unwrap_or_else(|_late| Err(late()));
            self.hand = Some(taken.inspect_err(|_| self.not_before = now + AGAIN.0 * 4)?);
        }
        self.hand.as_ref().ok_or(Fault::NotFound)
    }

    /// The connection, if there is one.
    pub(super) const fn ready(&self) -> Option<&Hand> {
        self.hand.as_ref()
    }

    /// Lets go of the connection: in what state it is nobody knows.
    pub(super) fn let_go(&mut self) {
        if let Some(hand) = self.hand.take() {
            hand.discard();
        }
    }

    /// The longest that a transaction may take: then it has failed before others may take over.
    fn limit(&self) -> Duration {
        longest_transaction(self.settings.lease)
    }

    /// Runs the first part of a transaction, within the time that it has.
    pub(super) async fn within_limit<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Failed> {
        match timeout(self.limit(), work).await {
            Ok(done) => Ok(done?),
            Err(_late) => Err(Failed::Undone(late())),
        }
    }

    /// Commits, within the time that it has.
    pub(super) async fn commit_within_limit(
        &self,
        commit: impl Future<Output = Result<(), Failed>>,
    ) -> Result<(), Failed> {
        match timeout(self.limit(), commit).await {
            Ok(done) => done,
            Err(_late) => Err(Failed::Unknown(late())),
        }
    }

    /// What comes of a transaction that failed: the connection is made fit for the next one, or let go of; and if nobody
    /// knows whether it was committed, that is found out. Says whether it was.
    pub(super) async fn clean_up(&mut self, failed: Failed, proof: &Proof) -> Result<(), Fault> {
        match failed {
            Failed::Undone(fault) => {
                let fault = fenced(fault);
                let reset = match &self.hand {
                    Some(hand) if fault.code().is_some() || matches!(fault, Fault::Fenced) => {
                        let reset = timeout(self.limit(), hand.roll_back()).await;
                        matches!(reset, Ok(Ok(())))
                    }
                    _ => false,
                };
                if !reset {
                    self.let_go();
                }
                Err(fault)
            }
            Failed::Unknown(fault) => {
                self.let_go();
                self.hot.failed(&fault);
                if self.was_committed(proof).await {
                    Ok(())
                } else {
                    Err(fault)
                }
            }
        }
    }

    /// Whether a transaction was committed; asks until the database answers, or others have taken over, who know.
    async fn was_committed(&mut self, proof: &Proof) -> bool {
        loop {
            match self.last_batch(proof).await {
                Ok(last) => return was_committed(proof.turn(), last),
                Err(fault) => {
                    self.let_go();
                    self.hot.failed(&fault);
                }
            }
            if self.hot.lines.is_closing() {
                return false;
            }
            self.rest().await;
        }
    }

    async fn last_batch(&mut self, proof: &Proof) -> Result<Option<i64>, Fault> {
        let limit = self.limit();
        let (sql, values) = (&LAST_BATCH, proof.values());
        let step = [Step::Parts(vec![Part { sql, values }])];
        let asked = timeout(limit, self.hand().await?.run(&step)).await;
        let rows = asked.map_err(|_late| late())??;
        self.pause = AGAIN.0;
        let first = rows.first().and_then(|rows| rows.first());
        first.map(|row: &Row| Ok(row.try_get(0)?)).transpose()
    }

    /// The lease of the last transaction is not this node's any more. If that was an earlier incarnation's, the present
    /// one knows already.
    pub(super) fn was_fenced(&self) {
        if self.count.incarnation() == self.membership.incarnation() {
            self.hot.fence();
        }
    }

    /// Waits before it connects again, longer each time.
    pub(super) async fn rest(&mut self) {
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(AGAIN.1);
    }

    /// A transaction has gone well.
    pub(super) fn went_well(&mut self, writes: usize, took: Duration) {
        self.pause = AGAIN.0;
        self.hot.meter.committed(writes, took);
        self.hot.recovered();
    }
}

/// Gives the proof that failed its name.
fn fenced(fault: Fault) -> Fault {
    match fault.code() {
        Some(code) if *code == SqlState::DIVISION_BY_ZERO => Fault::Fenced,
        _ => fault,
    }
}

fn late() -> Fault {
    Fault::Unreachable("the database did not answer in time".into())
}

/// Whether a row is to blame, so that the others of its transaction would fare better without it.
pub(super) fn is_of_a_row(fault: &Fault) -> bool {
    let class = |code: &SqlState| matches!(&code.code()[..2], "22" | "23" | "54");
    fault.code().is_some_and(class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::tests::Database;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_transaction_that_was_asked_about_is_not_made_afterwards() {
        let database = Database::new();
        let mut writer = Writer::new(&database.store, 1);
        let (late, next) = (writer.next(), writer.next());
        assert_eq!(writer.last_batch(&late).await.unwrap(), Some(0));
        let hand = writer.hand().await.unwrap();
        let refused = hand.commit_one(vec![late.part()]).await;
        assert!(matches!(refused, Err(Failed::Undone(fault))
            if fault.code() == Some(&SqlState::DIVISION_BY_ZERO)));
        hand.commit_one(vec![next.part()]).await.unwrap();
        assert_eq!(
            writer.last_batch(&next).await.unwrap(),
            Some(next.turn().batch)
        );
    }
}
