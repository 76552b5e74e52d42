//! Whoever tells the engine of an application or an endpoint tells it what was committed last.

use std::future::Future;

use parking_lot::Mutex;

/// How many counters there are; a few ids share one.
const COUNTERS: usize = 256;

/// How often applications and endpoints were changed. What was read before a change must not be told
/// after it, so telling happens under this lock, and only if nothing has changed since reading.
pub(crate) struct Changes(Mutex<[u64; COUNTERS]>);

impl Default for Changes {
    fn default() -> Self {
        Self(Mutex::new([0; COUNTERS]))
    }
}

impl Changes {
    /// Notes that something changed, and tells of it.
    pub(crate) fn note(&self, id: u64, tell: impl FnOnce()) {
        let mut counters = self.0.lock();
        counters[place(id)] += 1;
        tell();
    }

    /// Notes that everything may have changed, and tells of it.
    pub(crate) fn note_all<R>(&self, tell: impl FnOnce() -> R) -> R {
        let mut counters = self.0.lock();
        for counter in counters.iter_mut() {
            *counter += 1;
        }
        tell()
    }

    /// Reads, and tells what was found; if a change came between, it reads again.
    pub(crate) async fn tell_last<T, R, F: Future<Output = T>>(
        &self,
        id: u64,
        read: impl Fn() -> F,
        tell: impl FnOnce(T) -> R,
    ) -> R {
        loop {
            let before = self.0.lock()[place(id)];
            let found = read().await;
            let counters = self.0.lock();
            if counters[place(id)] == before {
                return tell(found);
            }
        }
    }
}

/// Ids begin with their time and end with their node.
fn place(id: u64) -> usize {
    (id >> 10) as usize % COUNTERS
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_told_after_it() {
        let (changes, stored) = (Changes::default(), AtomicU32::new(1));
        let (reading, go_on) = (Notify::new(), Notify::new());
        let told = Mutex::new(Vec::new());
        let slow = changes.tell_last(
            7,
            || async {
                let found = stored.load(SeqCst);
                reading.notify_one();
                go_on.notified().await;
                found
            },
            |found| told.lock().push(found),
        );
        let change = async {
            reading.notified().await;
            stored.store(2, SeqCst);
            changes.note(7, || told.lock().push(2));
            go_on.notify_one();
            reading.notified().await;
            go_on.notify_one();
        };
        tokio::join!(slow, change);
        assert_eq!(*told.lock(), [2, 2]);
    }

    #[tokio::test]
    async fn other_changes_do_not_matter() {
        let changes = Changes::default();
        let read = || async { changes.note(1 << 11, || {}) };
        changes.tell_last(1 << 10, read, |()| {}).await;
    }
}
