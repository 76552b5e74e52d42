//! What decides who may do what while several nodes share a store: leases, the fence, marks, and taking over.
//!
//! Nothing in here reads a clock or talks to a database. The PostgreSQL store asks it, and so does the simulator of
//! several nodes (crate `testkit`), so that what is tried there is what decides here. Moments are microseconds of a
//! clock that counts while the machine sleeps.

mod count;
mod held;
mod holdings;
mod marks;
mod reach;
mod walk;

use std::time::Duration;

pub use count::{Count, Turn, was_committed};
pub use held::Held;
pub use holdings::Holdings;
pub use marks::{Marks, Settled as SettledMarks};
pub use reach::Reach;
pub use walk::{MARKS_AT_ONCE, Page, Walk};

/// How often a node renews its lease.
#[must_use]
pub fn renewed_every(lease: Duration) -> Duration {
    lease / 5
}

/// The longest that a transaction may take: then it has failed before others may take over.
#[must_use]
pub fn longest_transaction(lease: Duration) -> Duration {
    lease * 4 / 5
}

/// A span in microseconds.
pub(crate) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 4)
}
