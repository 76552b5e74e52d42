//! One suite that every store must pass: it defines what the operations mean.
//!
//! Each area has a function that runs its cases, each on a store of its own. A database joins by
//! implementing [`Ground`].

pub mod answers;
pub mod catalogue;
pub mod deliveries;
pub mod journal;
pub mod keys;
pub mod log;
pub mod upkeep;

mod bench;

pub use bench::{Bench, START, StillClock};

use std::sync::Arc;

use crate::Store;

/// Where a store stands, and can be made to stand again.
pub trait Ground: Send + Sync {
    /// The store, open and not listened to.
    fn store(&self) -> Arc<dyn Store>;
    /// What a new process would find if this one were killed now.
    fn after_crash(&self) -> Box<dyn Ground>;
}

/// Runs cases, each on ground of its own.
macro_rules! run {
    ($make:expr, $($case:ident),+ $(,)?) => {
        $($case(&$crate::conformance::Bench::on($make()).await).await;)+
    };
}
pub(crate) use run;
