//! The journal on PostgreSQL: what comes in waits here; two connections accept, another records outcomes, each a batch
//! at a time.

mod accepting;
mod arrays;
mod hand;
mod judging;
mod line;
mod order;
mod parts;
mod settling;
mod statements;
mod tallies;
mod writer;

use std::sync::OnceLock;

use parking_lot::Mutex;

use super::settings::PostgresSettings;
use super::{Fault, PostgresStore};
use crate::lease::Holdings;
use crate::meter::Meter;
use crate::{Health, Journal, Listener, Receipt, StoreError, Unwritable, Write};
use line::Lines;
use order::Order;
pub(super) use tallies::hour_of;
use writer::Writer;

/// What the writers and their callers share.
pub(super) struct Hot {
    lines: Lines,
    listener: OnceLock<Listener>,
    /// What is in this node's memory by right.
    pub(super) holdings: Holdings,
    /// Lets what was accepted be told in the order in which it came.
    order: Order,
    /// What the writers have done since start.
    pub(super) meter: Meter,
    trouble: Mutex<Option<(Unwritable, String)>>,
    /// Wakes whoever lets it join anew.
    pub(super) fence_met: tokio::sync::Notify,
}

impl std::fmt::Debug for Hot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hot")
    }
}

impl Hot {
    pub(super) fn new(settings: &PostgresSettings) -> Self {
        Self {
            lines: Lines::new(settings.accept_queue, settings.accept_queue_bytes),
            listener: OnceLock::new(),
            holdings: Holdings::default(),
            order: Order::default(),
            meter: Meter::default(),
            trouble: Mutex::default(),
            fence_met: tokio::sync::Notify::new(),
        }
    }

    /// Lets the writers end when they have written everything.
    pub(super) fn close(&self) {
        self.lines.close();
    }

    /// Nothing is written any more, as if the process had been killed.
    #[cfg(test)]
    pub(super) fn kill(&self) {
        self.holdings.freeze();
        self.lines.close();
    }

    /// How the writers are.
    pub(super) fn health(&self) -> Health {
        let (reason, problem) = self.trouble.lock().clone().unzip();
        Health {
            writable: reason.is_none(),
            reason,
            problem,
        }
    }

    /// Whether this node may not write what it has, since others have it.
    pub(super) fn is_fenced(&self) -> bool {
        self.holdings.is_fenced()
    }

    /// Others have taken over what this node had: nothing of it is written any more.
    pub(super) fn fence(&self) {
        if self.holdings.fence() {
            tracing::warn!("others have taken over what this node had; it begins anew");
        }
        self.fence_met.notify_one();
    }

    /// This node is another, which has nothing yet.
    pub(super) fn lift_fence(&self) {
        self.holdings.lift_fence();
        self.lines.wake();
    }

    fn tell(&self, receipts: Vec<Receipt>) {
        if let (Some(listener), false) = (self.listener.get(), receipts.is_empty()) {
            listener(receipts);
        }
    }

    /// Notes why nothing can be written. It is logged when that begins, and when it is for another reason than before.
    fn failed(&self, fault: &Fault) {
        let reason = Unwritable::from(fault);
        let words = match fault {
            Fault::Postgres(error) => super::fault::words(error),
            Fault::Unreachable(why) => why.clone(),
            other => format!("{other:?}"),
        };
        let before = self.trouble.lock().replace((reason, words.clone()));
        if before.is_none_or(|(before, _)| before != reason) {
            tracing::error!(
                reason = reason.word(),
                error = words,
                "the store cannot be written"
            );
        }
    }

    /// The lease was renewed, so that the database is there and takes writes: whoever looks at this node's health may
    /// send again, without which nothing would be written that shows it.
    pub(super) fn reached(&self) {
        let passed = |trouble: &Option<(Unwritable, String)>| {
            matches!(
                trouble,
                Some((
                    Unwritable::Io | Unwritable::Busy | Unwritable::Denied | Unwritable::Other,
                    _
                ))
            )
        };
        if passed(&self.trouble.lock()) {
            self.recovered();
        }
    }

    fn recovered(&self) {
        let mut trouble = self.trouble.lock();
        if trouble.take().is_some() {
            tracing::info!("the store can be written again");
        }
    }
}

impl PostgresStore {
    /// Starts what writes.
    pub(super) fn start_writers(&self) {
        // While one waits for the disk the other writes.
        for number in [0, 2] {
            self.tasks.spawn(accepting::run(Writer::new(self, number)));
        }
        self.tasks.spawn(settling::run(Writer::new(self, 1)));
    }
}

impl Journal for PostgresStore {
    fn submit(&self, write: Write) -> Result<(), Box<Write>> {
        debug_assert!(
            self.hot.listener.get().is_some(),
            "nobody listens for receipts"
        );
        self.hot.lines.submit(write)
    }

    fn listen(&self, listener: Listener) {
        let first = self.hot.listener.set(listener).is_ok();
        assert!(first, "the journal has one listener, set once");
    }
}

/// What the outside is told while another start has what this node had.
fn disowned() -> StoreError {
    Fault::Fenced.into()
}
