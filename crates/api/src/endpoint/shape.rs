//! Endpoints as clients write and read them.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU16, NonZeroU32};

use ringbolt_gate::Patch;
use ringbolt_model::endpoint::Failing;
use ringbolt_model::{
    Channel, Endpoint, EndpointId, EventTypeName, Metadata, RetrySchedule, SignatureHeaders,
    Timestamp, Uid,
};
use serde::{Deserialize, Serialize};

/// An endpoint to be created or replaced.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndpointIn {
    /// Where to send: http or https.
    #[schema(required = true, value_type = String, max_length = 2048)]
    pub(super) url: Option<String>,
    /// What it is for.
    pub(super) description: Option<String>,
    /// Your own identifier; unique within the application. It serves in paths as the id does.
    pub(super) uid: Option<String>,
    /// Whether nothing is sent to it; what would be sent waits.
    pub(super) disabled: Option<bool>,
    /// The event types wanted, at most 500; all if absent or empty. Each must be known.
    #[serde(alias = "filterTypes")]
    pub(super) event_types: Option<Vec<String>>,
    /// The channels wanted, at most 10; every message if absent.
    pub(super) channels: Option<Vec<String>>,
    /// Deliveries per second.
    #[serde(alias = "rateLimit")]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 65535)]
    pub(super) throttle_rate: Option<NonZeroU16>,
    /// What signs its deliveries: `whsec_…` or `whsk_…`; made by the server if absent. It is read
    /// only when the endpoint is created.
    pub(super) secret: Option<String>,
    /// Text of your own, at most 4,096 bytes as JSON.
    pub(super) metadata: Option<BTreeMap<String, String>>,
    /// Headers added to its deliveries: at most 50, each at most 4,096 bytes, with their names at most 16 KiB together.
    pub(super) headers: Option<BTreeMap<String, String>>,
    /// Attempts at once, at most 1,000.
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    pub(super) concurrency: Option<NonZeroU16>,
    /// Its own retry schedule: the waits before each further try.
    pub(super) retry_schedule: Option<ScheduleIn>,
    /// Which families of signature headers it gets: `standard`, `svix` or `both`.
    #[schema(value_type = Option<Families>)]
    pub(super) signature_headers: Option<SignatureHeaders>,
}

/// A change to an endpoint; what is left out stays as it is, `null` clears.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndpointPatch {
    /// Where to send.
    #[schema(max_length = 2048)]
    pub(super) url: Option<String>,
    /// What it is for.
    pub(super) description: Option<String>,
    /// Your own identifier.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub(super) uid: Patch<String>,
    /// Whether nothing is sent to it.
    pub(super) disabled: Option<bool>,
    /// The event types wanted.
    #[serde(alias = "filterTypes")]
    #[schema(value_type = Option<Vec<String>>)]
    #[serde(default)]
    pub(super) event_types: Patch<Vec<String>>,
    /// The channels wanted.
    #[schema(value_type = Option<Vec<String>>)]
    #[serde(default)]
    pub(super) channels: Patch<Vec<String>>,
    /// Deliveries per second.
    #[serde(alias = "rateLimit")]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 65535)]
    #[serde(default)]
    pub(super) throttle_rate: Patch<NonZeroU16>,
    /// Text of your own; it replaces all that is there.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    #[serde(default)]
    pub(super) metadata: Patch<BTreeMap<String, String>>,
    /// Attempts at once.
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    #[serde(default)]
    pub(super) concurrency: Patch<NonZeroU16>,
    /// Its own retry schedule.
    #[schema(value_type = Option<ScheduleIn>)]
    #[serde(default)]
    pub(super) retry_schedule: Patch<ScheduleIn>,
    /// Which families of signature headers it gets.
    #[schema(value_type = Option<Families>)]
    #[serde(default)]
    pub(super) signature_headers: Patch<SignatureHeaders>,
}

/// Families of signature headers.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes what the model reads")]
pub(crate) enum Families {
    /// `webhook-*`.
    Standard,
    /// `svix-*`.
    Svix,
    /// Both.
    Both,
}

/// A retry schedule.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum ScheduleIn {
    /// Durations with units, comma-separated: `5s,5m,1h`.
    Text(String),
    /// Seconds.
    Seconds(Vec<u64>),
}

/// An endpoint.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndpointOut {
    /// Its id.
    #[schema(value_type = String)]
    id: EndpointId,
    /// Where to send.
    url: String,
    /// What it is for.
    description: String,
    /// Your own identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    uid: Option<Uid>,
    /// Whether nothing is sent to it; what would be sent waits.
    disabled: bool,
    /// Why: `manual`, `gone` (it answered 410) or `failing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<&'static str>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    disabled_at: Option<Timestamp>,
    /// The first failure since its last success, if it is failing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    failing_since: Option<Timestamp>,
    /// How it is failing, if it is; stays while it is disabled for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    failing: Option<FailingOut>,
    /// The event types wanted; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    event_types: Option<BTreeSet<EventTypeName>>,
    /// The channels wanted; every message if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    channels: Option<BTreeSet<Channel>>,
    /// Deliveries per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, nullable = false)]
    throttle_rate: Option<NonZeroU32>,
    /// Attempts at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u16>, nullable = false)]
    concurrency: Option<NonZeroU16>,
    /// Its own retry schedule, as durations with units.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    retry_schedule: Option<RetrySchedule>,
    /// Which families of signature headers it gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    signature_headers: Option<SignatureHeaders>,
    /// Text of your own.
    #[schema(value_type = BTreeMap<String, String>)]
    metadata: Metadata,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Always 1; SDKs before 1.0 ask for it.
    version: u8,
}

/// How an endpoint is failing.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct FailingOut {
    /// The first failure since its last success.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// The latest failure; up to a minute behind.
    #[schema(value_type = String, format = DateTime)]
    last_failure_at: Timestamp,
    /// The warnings given, the first one first.
    warnings: Vec<WarningOut>,
    /// From when on a failure disables it, if three messages have failed by then. Absent if none does, or
    /// if it is disabled already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    disables_at: Option<Timestamp>,
}

/// A warning that an endpoint will be disabled.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct WarningOut {
    /// How much of the way it had come: 50, 75 or 90.
    percent: u8,
    /// When it was given.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl FailingOut {
    fn new(failing: Failing, disabled: bool) -> Self {
        let warnings = failing.warnings();
        Self {
            since: failing.since,
            last_failure_at: failing.last,
            warnings: warnings
                .map(|(percent, at)| WarningOut { percent, at })
                .collect(),
            disables_at: failing.disables_at.filter(|_| !disabled),
        }
    }
}

impl From<&Endpoint> for EndpointOut {
    fn from(endpoint: &Endpoint) -> Self {
        let Endpoint {
            id,
            subscription,
            disabled,
            ..
        } = endpoint;
        let event_types = Some(&subscription.event_types).filter(|types| !types.is_empty());
        let channels = Some(&subscription.channels).filter(|channels| !channels.is_empty());
        Self {
            id: *id,
            url: endpoint.url.clone(),
            description: endpoint.description.clone(),
            uid: endpoint.uid.clone(),
            disabled: disabled.is_some(),
            disabled_reason: disabled.map(|disabled| disabled.reason.as_str()),
            disabled_at: disabled.map(|disabled| disabled.since),
            failing_since: endpoint.failing.map(|failing| failing.since),
            failing: endpoint
                .failing
                .map(|failing| FailingOut::new(failing, disabled.is_some())),
            event_types: event_types.cloned(),
            channels: channels.cloned(),
            throttle_rate: endpoint.throttle_rate,
            concurrency: endpoint.concurrency,
            retry_schedule: endpoint.schedule.clone(),
            signature_headers: endpoint.signature_headers,
            metadata: endpoint.metadata.clone(),
            created_at: id.time(),
            updated_at: endpoint.updated_at,
            version: 1,
        }
    }
}
