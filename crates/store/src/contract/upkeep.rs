//! Keeping the store in order: retention, size, health, copies.

use std::path::PathBuf;

use async_trait::async_trait;
use ringbolt_model::Timestamp;

use super::StoreError;

/// What one step of tidying did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    /// How many rows it removed or rewrote.
    pub rows: usize,
    /// How many unfinished deliveries ended because their content's time was over.
    pub expired: usize,
    /// Whether more is to be done at once.
    pub more: bool,
}

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it can be written.
    pub writable: bool,
    /// Why it cannot be written.
    pub reason: Option<Unwritable>,
    /// What is wrong, for operators.
    pub problem: Option<String>,
}

/// Why a store cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritable {
    /// There is no space left.
    Full,
    /// The disk failed to read, write or sync.
    Io,
    /// The file is not where it was opened.
    Moved,
    /// What is stored is damaged.
    Corrupt,
    /// The server may not write there, or the disk is mounted for reading only.
    Denied,
    /// Another process holds it.
    Busy,
    /// None of these: the log says more.
    Other,
}

impl Unwritable {
    /// The word that stands for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Io => "io",
            Self::Moved => "moved",
            Self::Corrupt => "corrupt",
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::Other => "other",
        }
    }
}

/// How large the store is, in bytes, and what its writer has done since start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes {
    /// What it takes on disk.
    pub on_disk: u64,
    /// Of that, what is free for reuse.
    pub free: u64,
    /// How many writes the transactions had that were committed.
    pub commit_writes: Distribution,
    /// How long these transactions took, commit included, in microseconds.
    pub commit_micros: Distribution,
}

/// Values that were seen, counted by how large they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Upper bounds, ascending, each with how many values were at most that and more than the one before.
    pub buckets: Vec<(u64, u64)>,
    /// How many values were larger than every bound.
    pub beyond: u64,
    /// All values together.
    pub sum: u64,
}

impl Distribution {
    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum::<u64>() + self.beyond
    }
}

/// A thread of the store, or a few that do the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Working {
    /// Its name.
    pub name: &'static str,
    /// What it is doing.
    pub state: String,
}

/// Keeping the store in order.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// One bounded step of tidying: content and rows past retention, what deleted applications and
    /// endpoints owned, old idempotency keys, free pages. It holds the writer no longer than 20 ms, with what an
    /// idle disk takes for a commit of half a megabyte.
    async fn tidy(&self, now: Timestamp) -> Result<Tidied, StoreError>;
    /// An id, as its integer, that none in the store exceeds and none that this node makes may fall short of.
    async fn largest_id(&self) -> Result<u64, StoreError>;
    /// Makes a consistent copy while serving. The target must not exist.
    async fn backup(&self, to: PathBuf) -> Result<(), StoreError>;
    /// How it is now.
    fn health(&self) -> Health;
    /// How large it is.
    fn sizes(&self) -> Sizes;
    /// What its threads are doing.
    fn workers(&self) -> Vec<Working>;
    /// Encrypts what older encryption keys encrypted with the first one; returns how many were left
    /// to do before this step. Bounded, to be called until it returns 0.
    async fn reencrypt(&self) -> Result<usize, StoreError>;
}
