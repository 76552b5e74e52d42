//! Endpoints: destinations with a subscription.

use std::num::{NonZeroU16, NonZeroU32};

use ringbolt_signatures::Secret;
use serde::{Deserialize, Serialize};

use crate::{AppId, EndpointId, Metadata, RetrySchedule, Subscription, Timestamp, Uid};

/// The most secrets that stay valid beside the current one.
pub const MAX_OLD_SECRETS: usize = 10;

/// A destination with a subscription: where to send, and which messages it wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id; the time in it is when the endpoint was created.
    pub id: EndpointId,
    /// The application it belongs to.
    pub app: AppId,
    /// The user's own identifier; unique within the application.
    pub uid: Option<Uid>,
    /// Where to send; checked when it was given, and judged again at every connection.
    pub url: String,
    /// What it is for, in the user's words.
    pub description: String,
    /// Which messages it wants.
    pub subscription: Subscription,
    /// Why and since when nothing is sent to it, if so.
    pub disabled: Option<Disabled>,
    /// Deliveries per second; unlimited if absent.
    pub throttle_rate: Option<NonZeroU32>,
    /// Attempts at once; the server's default, which adapts, if absent.
    pub concurrency: Option<NonZeroU16>,
    /// Its own retry schedule; the server's if absent.
    pub schedule: Option<RetrySchedule>,
    /// Which families of signature headers it gets; the server's default if absent.
    pub signature_headers: Option<SignatureHeaders>,
    /// Text of the user's own.
    pub metadata: Metadata,
    /// How long it has been failing, if it is.
    pub failing: Option<Failing>,
    /// When it was last changed by a user.
    pub updated_at: Timestamp,
}

impl Endpoint {
    /// One that takes every message and leaves everything else to the server's settings.
    #[must_use]
    pub fn new(id: EndpointId, app: AppId, url: impl Into<String>) -> Self {
        Self {
            id,
            app,
            uid: None,
            url: url.into(),
            description: String::new(),
            subscription: Subscription::default(),
            disabled: None,
            throttle_rate: None,
            concurrency: None,
            schedule: None,
            signature_headers: None,
            metadata: Metadata::default(),
            failing: None,
            updated_at: id.time(),
        }
    }
}

/// That nothing is sent to an endpoint; its deliveries are parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: DisableReason,
}

/// Why an endpoint was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisableReason {
    /// A user did.
    Manual,
    /// It answered 410 Gone.
    Gone,
    /// It kept failing for the configured time.
    Failing,
}

impl DisableReason {
    /// The word that the API shows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

/// An unbroken row of failures, from which an endpoint is in the end disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The first failure since the last success.
    pub since: Timestamp,
    /// The latest failure.
    pub last: Timestamp,
    /// How many different messages have failed since; counted no further than is needed to decide.
    pub messages: u32,
    /// The last warning given, in percent of the way to being disabled (0, 50, 75 or 90).
    pub warned: u8,
    /// When each of [`WARNINGS`] was given, if it was.
    #[serde(default)]
    pub warned_at: [Option<Timestamp>; WARNINGS.len()],
    /// From when on a failure disables the endpoint, if enough messages have failed by then.
    #[serde(default)]
    pub disables_at: Option<Timestamp>,
}

/// The most attempts that an endpoint can have in flight.
pub const MAX_CONCURRENCY: u16 = 1000;

/// The shares of the way to being disabled at which the owner is warned, in percent.
pub const WARNINGS: [u8; 3] = [50, 75, 90];

impl Failing {
    /// The warnings given, each with its share of the way and its moment.
    pub fn warnings(&self) -> impl Iterator<Item = (u8, Timestamp)> {
        let given = WARNINGS.into_iter().zip(self.warned_at);
        given.filter_map(|(percent, at)| Some((percent, at?)))
    }
}

/// Which families of signature headers a delivery carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureHeaders {
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    #[default]
    Standard,
    /// `svix-id`, `svix-timestamp`, `svix-signature`.
    Svix,
    /// Both families.
    Both,
}

/// What signs an endpoint's deliveries. Encrypted at rest; never shown by `Debug`.
#[derive(Debug, Clone)]
pub struct EndpointSecrets {
    /// The one that new receivers are given.
    pub current: Secret,
    /// Earlier ones that still sign, each with the moment from which it does not.
    pub old: Vec<(Secret, Timestamp)>,
}

impl EndpointSecrets {
    /// Every secret that signs at `now`, the current one first.
    pub fn valid_at(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        let old = self
            .old
            .iter()
            .filter(move |(_, until)| *until > now)
            .map(|(secret, _)| secret);
        std::iter::once(&self.current).chain(old)
    }
}

/// Headers that a user added to an endpoint's deliveries, checked; encrypted at rest.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CustomHeaders(pub Vec<(String, String)>);

impl CustomHeaders {
    /// The bytes of their names and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| name.len() + value.len()).sum()
    }
}

impl std::fmt::Debug for CustomHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}
