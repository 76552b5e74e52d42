//! What a client wants an endpoint to be, checked field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

use ringbolt_gate::{Faults, Patch, Problem};
use ringbolt_model::endpoint::{Disabled, MAX_CONCURRENCY};
use ringbolt_model::{
    AppId, Channel, CustomHeaders, DisableReason, Endpoint, EndpointId, EventTypeName, Metadata,
    RetrySchedule, SignatureHeaders, Subscription, Timestamp, Uid,
};
use ringbolt_signatures::Secret;

use super::asker::Asker;
use super::header_rules::check_headers;
use super::shape::{EndpointIn, EndpointPatch, ScheduleIn};
use crate::application::check_metadata;
use crate::bounds::{DESCRIPTION, check_text};

/// The most channels of an endpoint.
const CHANNELS: usize = 10;

/// An endpoint to be created or replaced.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) url: String,
    pub(super) description: String,
    pub(super) uid: Option<Uid>,
    pub(super) disabled: bool,
    pub(super) subscription: Subscription,
    pub(super) throttle_rate: Option<NonZeroU16>,
    pub(super) concurrency: Option<NonZeroU16>,
    pub(super) schedule: Option<RetrySchedule>,
    pub(super) signature_headers: Option<SignatureHeaders>,
    pub(super) metadata: Metadata,
    /// Set if any were given.
    pub(super) headers: Option<CustomHeaders>,
    /// Set if one was given.
    pub(super) secret: Option<Secret>,
}

impl EndpointIn {
    pub(super) async fn check(
        self,
        asker: Asker<'_>,
        mut faults: Faults,
    ) -> Result<Wanted, Problem> {
        let url = faults.required("url", self.url);
        let url = url
            .and_then(|url| asker.check_url(&mut faults, &url))
            .unwrap_or_default();
        let uid = self.uid.and_then(|text| check_uid(&mut faults, &text));
        let event_types = self.event_types.unwrap_or_default();
        let event_types = asker.check_event_types(&mut faults, &event_types).await?;
        let channels = self
            .channels
            .map(|given| check_channels(&mut faults, &given));
        let secret = self
            .secret
            .map(|text| faults.check("secret", Secret::parse(&text)));
        let headers = self.headers.map(|given| check_headers(&mut faults, &given));
        let metadata = check_metadata(&mut faults, self.metadata.unwrap_or_default());
        let schedule = self
            .retry_schedule
            .map(|given| check_schedule(&mut faults, given));
        check_concurrency(&mut faults, self.concurrency);
        let description = self.description.as_deref();
        check_text(&mut faults, "description", description, DESCRIPTION);
        faults.end()?;
        Ok(Wanted {
            url,
            description: self.description.unwrap_or_default(),
            uid,
            disabled: self.disabled.unwrap_or(false),
            subscription: Subscription {
                event_types,
                channels: channels.unwrap_or_default(),
            },
            throttle_rate: self.throttle_rate,
            concurrency: self.concurrency,
            schedule: schedule.flatten(),
            signature_headers: self.signature_headers,
            metadata,
            headers,
            secret: secret.flatten(),
        })
    }
}

impl Wanted {
    /// A new endpoint.
    pub(super) fn create(&self, id: EndpointId, app: AppId) -> Endpoint {
        let mut endpoint = Endpoint::new(id, app, "");
        self.replace(&mut endpoint, id.time());
        endpoint
    }

    /// Replaces all of an endpoint that a client can choose.
    pub(super) fn replace(&self, endpoint: &mut Endpoint, now: Timestamp) {
        let wanted = self.clone();
        endpoint.uid = wanted.uid;
        endpoint.url = wanted.url;
        endpoint.description = wanted.description;
        endpoint.subscription = wanted.subscription;
        endpoint.throttle_rate = wanted.throttle_rate.map(Into::into);
        endpoint.concurrency = wanted.concurrency;
        endpoint.schedule = wanted.schedule;
        endpoint.signature_headers = wanted.signature_headers;
        endpoint.metadata = wanted.metadata;
        set_disabled(endpoint, wanted.disabled, now);
        endpoint.updated_at = now.max(endpoint.id.time());
    }
}

/// Disables or enables. Who enables an endpoint begins anew: its past failures count no more.
fn set_disabled(endpoint: &mut Endpoint, disabled: bool, now: Timestamp) {
    if !disabled {
        if endpoint.disabled.take().is_some() {
            endpoint.failing = None;
        }
    } else if endpoint.disabled.is_none() {
        endpoint.disabled = Some(Disabled {
            since: now,
            reason: DisableReason::Manual,
        });
    }
}

/// A change that was checked.
#[derive(Debug, Clone)]
pub(super) struct Change {
    url: Option<String>,
    description: Option<String>,
    uid: Patch<Uid>,
    disabled: Option<bool>,
    event_types: Option<BTreeSet<EventTypeName>>,
    channels: Option<BTreeSet<Channel>>,
    throttle_rate: Patch<NonZeroU16>,
    concurrency: Patch<NonZeroU16>,
    schedule: Patch<RetrySchedule>,
    signature_headers: Patch<SignatureHeaders>,
    metadata: Patch<Metadata>,
}

impl EndpointPatch {
    pub(super) async fn check(
        self,
        asker: Asker<'_>,
        mut faults: Faults,
    ) -> Result<Change, Problem> {
        let url = self.url.and_then(|url| asker.check_url(&mut faults, &url));
        let uid = self.uid.map(|text| check_uid(&mut faults, &text));
        let event_types = match self.event_types {
            Patch::Keep => None,
            Patch::Clear => Some(BTreeSet::new()),
            Patch::Set(given) => Some(asker.check_event_types(&mut faults, &given).await?),
        };
        let channels = match self.channels {
            Patch::Keep => None,
            Patch::Clear => Some(BTreeSet::new()),
            Patch::Set(given) => Some(check_channels(&mut faults, &given)),
        };
        check_concurrency(&mut faults, self.concurrency.value().copied());
        let schedule = self
            .retry_schedule
            .map(|given| check_schedule(&mut faults, given));
        let metadata = self
            .metadata
            .map(|given| check_metadata(&mut faults, given));
        let description = self.description.as_deref();
        check_text(&mut faults, "description", description, DESCRIPTION);
        faults.end()?;
        Ok(Change {
            url,
            description: self.description,
            uid: sound(uid),
            disabled: self.disabled,
            event_types,
            channels,
            throttle_rate: self.throttle_rate,
            concurrency: self.concurrency,
            schedule: sound(schedule),
            signature_headers: self.signature_headers,
            metadata,
        })
    }
}

/// A value that was checked; one that is wrong has been noted and ends the request.
fn sound<T>(patch: Patch<Option<T>>) -> Patch<T> {
    match patch {
        Patch::Keep | Patch::Set(None) => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(Some(value)) => Patch::Set(value),
    }
}

impl Change {
    /// The uid that it sets.
    pub(super) const fn uid(&self) -> Option<&Uid> {
        self.uid.value()
    }

    pub(super) fn apply(&self, endpoint: &mut Endpoint, now: Timestamp) {
        let change = self.clone();
        if let Some(url) = change.url {
            endpoint.url = url;
        }
        if let Some(description) = change.description {
            endpoint.description = description;
        }
        change.uid.apply(&mut endpoint.uid);
        if let Some(disabled) = change.disabled {
            set_disabled(endpoint, disabled, now);
        }
        if let Some(event_types) = change.event_types {
            endpoint.subscription.event_types = event_types;
        }
        if let Some(channels) = change.channels {
            endpoint.subscription.channels = channels;
        }
        change
            .throttle_rate
            .map(Into::into)
            .apply(&mut endpoint.throttle_rate);
        change.concurrency.apply(&mut endpoint.concurrency);
        change.schedule.apply(&mut endpoint.schedule);
        change
            .signature_headers
            .apply(&mut endpoint.signature_headers);
        change.metadata.replace(&mut endpoint.metadata);
        endpoint.updated_at = now.max(endpoint.id.time());
    }
}

fn check_uid(faults: &mut Faults, text: &str) -> Option<Uid> {
    faults.check("uid", Uid::distinct_from(text, EndpointId::PREFIX))
}

fn check_channels(faults: &mut Faults, given: &[String]) -> BTreeSet<Channel> {
    if !(1..=CHANNELS).contains(&given.len()) {
        let what = format!("must be 1 to {CHANNELS}; null, or leaving it out, means every message");
        faults.add("channels", what);
        return BTreeSet::new();
    }
    each(faults, "channels", given)
}

pub(super) fn each<T: FromStr<Err: Display> + Ord>(
    faults: &mut Faults,
    field: &str,
    given: &[String],
) -> BTreeSet<T> {
    given
        .iter()
        .filter_map(|text| faults.parsed(field, Some(text)))
        .collect()
}

fn check_schedule(faults: &mut Faults, given: ScheduleIn) -> Option<RetrySchedule> {
    let schedule = match given {
        ScheduleIn::Text(text) => text.parse(),
        ScheduleIn::Seconds(waits) => {
            RetrySchedule::new(waits.into_iter().map(Duration::from_secs).collect())
        }
    };
    faults.check("retrySchedule", schedule)
}

fn check_concurrency(faults: &mut Faults, given: Option<NonZeroU16>) {
    if given.is_some_and(|given| given.get() > MAX_CONCURRENCY) {
        faults.add("concurrency", format!("must be at most {MAX_CONCURRENCY}"));
    }
}

/// The given headers with names in lower case; of names that differ in case only, the last counts.
pub(super) fn lower_case(headers: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect()
}
