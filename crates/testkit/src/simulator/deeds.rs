//! What users and the world do.

use std::sync::Arc;

use ringbolt_engine::Target;
use ringbolt_model::{AppId, Channel, EventTypeName};

/// Something that a user or the world does. Whom it is done to is drawn when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    /// A message is sent.
    Send,
    /// An endpoint's limits, schedule or subscription change.
    Edit,
    /// An application's rate changes.
    SetRate,
    /// An endpoint is disabled by hand.
    Disable,
    /// An endpoint is enabled.
    Enable,
    /// An endpoint is deleted.
    Delete,
    /// An endpoint is created.
    Create,
    /// An application is deleted.
    DeleteApp,
    /// A message is sent again by hand.
    Resend,
    /// An endpoint's failed deliveries are recovered.
    Recover,
    /// A message's content is removed.
    Expunge,
    /// The store tidies.
    Tidy,
    /// The time of day jumps.
    Jump,
    /// The process ends without a word.
    Crash,
    /// Some of what the store says is compared with what should be.
    Audit,
    /// Whatever is disabled is enabled.
    EnableAll,
}

/// A message on its way to the store.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) app: AppId,
    pub(super) event_type: EventTypeName,
    pub(super) channels: Arc<[Channel]>,
    pub(super) bytes: usize,
    /// Who wanted it when it was routed, last of all.
    pub(super) targets: Vec<Target>,
}
