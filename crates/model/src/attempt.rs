//! Attempts: each try at a delivery, and what came of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{AppId, AttemptId, DeliveryKey, Timestamp};

/// The most bytes of an answer's body that are kept.
pub const MAX_KEPT_BODY: usize = 64 * 1024;

/// One try at a delivery: what was sent where, what came back, how long each part took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id; the time in it is when the try ended.
    pub id: AttemptId,
    /// The application that owns the message and the endpoint.
    pub app: AppId,
    /// The delivery that was tried.
    pub delivery: DeliveryKey,
    /// Why it was tried.
    pub trigger: Trigger,
    /// When the try began.
    pub at: Timestamp,
    /// Where it was sent: the endpoint's URL at that time.
    pub url: Arc<str>,
    /// The address connected to. For operators only: application-scoped tokens never see it.
    pub address: Option<SocketAddr>,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// `None` if it succeeded.
    pub failure: Option<AttemptFailure>,
    /// More about the failure, for operators only; it may name addresses.
    pub detail: Option<Box<str>>,
    /// The answer's headers, as `name: value` lines.
    pub headers: Bytes,
    /// The first 64 KiB of the answer's body.
    pub body: Bytes,
    /// How long each part took.
    pub timings: Timings,
}

impl Attempt {
    /// Whether the endpoint took the message.
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        self.failure.is_none()
    }
}

/// Why a try was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// It was due.
    #[default]
    Scheduled,
    /// Somebody asked for it.
    Manual,
}

/// What went wrong in a try; each has a word of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptFailure {
    /// An answer came whose status is not 2xx.
    Status,
    /// The address is one that endpoints may not reach.
    Blocked,
    /// The name could not be resolved.
    Dns,
    /// Nobody listens there.
    Refused,
    /// No connection could be made, for another reason.
    Connect,
    /// The connection could not be secured: certificate, name, protocol.
    Tls,
    /// There was no complete answer in time.
    Timeout,
    /// The connection ended before the answer did.
    Closed,
    /// The answer was no valid HTTP, or its head was too large.
    Protocol,
    /// The configured egress proxy did not do its part.
    Proxy,
    /// The message's content was gone.
    Expired,
    /// The server itself could not make the try.
    Internal,
}

impl AttemptFailure {
    /// Every failure, for tables and metrics.
    pub const ALL: [Self; 12] = [
        Self::Status,
        Self::Blocked,
        Self::Dns,
        Self::Refused,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Closed,
        Self::Protocol,
        Self::Proxy,
        Self::Expired,
        Self::Internal,
    ];

    /// The word that operators see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Blocked => "blocked",
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::Proxy => "proxy",
            Self::Expired => "expired",
            Self::Internal => "internal",
        }
    }

    /// The word that application-scoped tokens see: what would map the network behind the server
    /// (blocked, no such name, or reachable but closed) reads the same.
    #[must_use]
    pub const fn public_word(self) -> &'static str {
        match self {
            Self::Blocked | Self::Dns | Self::Connect | Self::Proxy => "refused",
            other => other.as_str(),
        }
    }
}

/// How long each part of a try took; a part that did not happen is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timings {
    /// Looking up the name.
    pub dns: Option<Duration>,
    /// Connecting.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the start of the request to the first byte of the answer.
    pub first_byte: Option<Duration>,
    /// All of it.
    pub total: Duration,
}
