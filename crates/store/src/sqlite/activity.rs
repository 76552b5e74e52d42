//! What the store's threads are doing, noted by each in a word of its own: for operators.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};

/// Has nothing to do.
const RESTING: u8 = 0;
/// Is at work.
const BUSY: u8 = 1;
/// Has ended, as asked or by a panic.
const ENDED: u8 = 2;

/// What one thread is doing. To note it costs one store.
#[derive(Debug, Default)]
pub(super) struct Doing(AtomicU8);

impl Doing {
    /// It begins to work.
    pub(super) fn begin(&self) {
        self.0.store(BUSY, Relaxed);
    }

    /// It has done what there was to do.
    pub(super) fn rest(&self) {
        self.0.store(RESTING, Relaxed);
    }

    /// Notes the thread's end when this is dropped, whichever way it ends.
    pub(super) const fn until_its_end(&self) -> UntilItsEnd<'_> {
        UntilItsEnd(self)
    }

    /// In words; `busy` says what its work is.
    pub(super) fn words(&self, busy: &'static str) -> &'static str {
        match self.0.load(Relaxed) {
            RESTING => "resting",
            BUSY => busy,
            _ => "stopped",
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.0.load(Relaxed) == ENDED
    }
}

/// Notes the end of a thread.
pub(super) struct UntilItsEnd<'a>(&'a Doing);

impl Drop for UntilItsEnd<'_> {
    fn drop(&mut self) {
        self.0.0.store(ENDED, Relaxed);
    }
}

/// What the threads that write are doing.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// `store-write`.
    pub(super) writer: Doing,
    /// `store-copy`.
    pub(super) copier: Doing,
    /// How many copies are being made for whoever asked, each by a `store-backup`.
    backups: AtomicUsize,
}

impl Activity {
    /// A copy is being made until what this returns is dropped, whichever way it ends.
    pub(super) fn begin_backup(&self) -> Backup<'_> {
        self.backups.fetch_add(1, Relaxed);
        Backup(self)
    }

    /// How many copies are being made.
    pub(super) fn backups(&self) -> usize {
        self.backups.load(Relaxed)
    }
}

/// That a copy is being made.
pub(super) struct Backup<'a>(&'a Activity);

impl Drop for Backup<'_> {
    fn drop(&mut self) {
        self.0.backups.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ends_is_seen_to_have_ended_also_by_a_panic() {
        let doing = Doing::default();
        let busy = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _end = doing.until_its_end();
            assert_eq!(doing.words("writing"), "resting");
            doing.begin();
            assert_eq!(doing.words("writing"), "writing");
            panic!("ordered by a test")
        }));
        assert!(busy.is_err() && doing.has_ended());
        assert_eq!(doing.words("writing"), "stopped");
    }

    #[test]
    fn a_copy_is_no_longer_made_when_it_has_ended_also_by_a_panic() {
        let activity = Activity::default();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _backup = activity.begin_backup();
            assert_eq!(activity.backups(), 1);
            panic!("ordered by a test")
        }));
        assert!(ended.is_err());
        assert_eq!(activity.backups(), 0);
    }
}
