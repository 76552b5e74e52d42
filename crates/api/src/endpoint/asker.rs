//! Who asks for an endpoint: where it may be, and what it may subscribe to, depends on that.

use std::collections::{BTreeMap, BTreeSet};

use ringbolt_gate::{Caller, Faults, Flags, Problem};
use ringbolt_model::{AppId, EventTypeName};
use ringbolt_store::{EndpointRef, StoreError};

use super::checked::each;
use crate::event_type::visible;
use crate::room::Room;

/// The most event types of an endpoint; one that wants more had better want all.
const EVENT_TYPES: usize = 500;

/// Who asks, for which endpoint.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) room: &'a Room,
    pub(super) caller: Caller,
    pub(super) flags: &'a Flags,
    pub(super) app: AppId,
    /// The endpoint that is to be changed; none is when a new one is asked for.
    pub(super) endpoint: Option<&'a EndpointRef>,
}

impl Asker<'_> {
    /// A URL as it is to be stored; only operators read which address is refused, and why.
    pub(super) fn check_url(&self, faults: &mut Faults, url: &str) -> Option<String> {
        let checked = self.room.handle.check_url(url).map_err(|refused| {
            if self.caller.is_operator() {
                refused.to_string()
            } else {
                refused.public_words()
            }
        });
        faults.check("url", checked)
    }

    /// Event types that exist, archived ones too. Those that the asker does not see do not exist for it, unless
    /// the endpoint wants them already: whoever reads an endpoint can write it back.
    pub(super) async fn check_event_types(
        &self,
        faults: &mut Faults,
        given: &[String],
    ) -> Result<BTreeSet<EventTypeName>, Problem> {
        if given.len() > EVENT_TYPES {
            let what = format!("must be at most {EVENT_TYPES}; none means all");
            faults.add("eventTypes", what);
            return Ok(BTreeSet::new());
        }
        let names: BTreeSet<EventTypeName> = each(faults, "eventTypes", given);
        let mut unknown = names.clone();
        let mut hidden = BTreeSet::new();
        for (name, flag) in self.known(&names).await? {
            unknown.remove(&name);
            if !visible(self.caller, self.flags, flag.as_deref()) {
                hidden.insert(name);
            }
        }
        if !hidden.is_empty() {
            let wanted = self.wanted_already().await?;
            unknown.extend(hidden.difference(&wanted).cloned());
        }
        for name in unknown {
            faults.add("eventTypes", format!("there is no event type `{name}`"));
        }
        Ok(names)
    }

    async fn known(
        &self,
        names: &BTreeSet<EventTypeName>,
    ) -> Result<BTreeMap<EventTypeName, Option<String>>, StoreError> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names = names.iter().cloned().collect();
        let known = self.room.store().known_event_types(names).await?;
        Ok(known.into_iter().collect())
    }

    async fn wanted_already(&self) -> Result<BTreeSet<EventTypeName>, StoreError> {
        let Some(endpoint) = self.endpoint.cloned() else {
            return Ok(BTreeSet::new());
        };
        match self.room.store().endpoint(self.app, endpoint).await {
            Ok(endpoint) => Ok(endpoint.subscription.event_types),
            Err(StoreError::NotFound) => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }
}
