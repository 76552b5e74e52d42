//! What the store says is held against the ledger; and in the end nothing may be pending.

use std::collections::BTreeMap;

use ringbolt_model::{AppId, DeliveryKey, DeliveryState, EndpointId, MessageId};
use ringbolt_store::{
    Catalogue as _, Counts, Deliveries as _, DeliveryView, EndpointRef, Log as _, Order, Page,
    StoreError,
};

use super::Simulation;
use super::ledger::{Broken, Entry, broken};
use super::users::failed;

impl Simulation {
    /// Compares what the store says of some messages, and of every endpoint, with what is owed.
    pub(super) fn audit(&mut self, most: usize) -> Result<(), Broken> {
        let there = self
            .ledger
            .messages
            .iter()
            .filter(|(_, sent)| self.apps.contains(&sent.app));
        let there: Vec<(MessageId, AppId)> = there.map(|(id, sent)| (*id, sent.app)).collect();
        let step = there.len().div_ceil(most).max(1);
        let from = self.chance.index(step);
        for (message, app) in there.into_iter().skip(from).step_by(step) {
            self.audit_message(app, message)?;
        }
        for (endpoint, app) in self
            .endpoints
            .iter()
            .map(|(id, (app, _))| (*id, *app))
            .collect::<Vec<_>>()
        {
            if !self.ledger.is_deleted(endpoint) {
                self.audit_endpoint(app, endpoint)?;
            }
        }
        Ok(())
    }

    fn audit_message(&self, app: AppId, message: MessageId) -> Result<(), Broken> {
        let page = Page {
            limit: 1000,
            order: Order::Ascending,
            after: None,
        };
        let list = self.disk.store.message_deliveries(app, message, page);
        let list = self.disk.wait(list).map_err(failed)?;
        let found = list
            .items
            .into_iter()
            .map(|(endpoint, view)| (endpoint.id, (endpoint.disabled.is_some(), view)));
        let mut found: BTreeMap<EndpointId, (bool, DeliveryView)> = found.collect();
        for (endpoint, entry) in &self.ledger.messages[&message].owed {
            let (endpoint, deleted) = (*endpoint, self.ledger.is_deleted(*endpoint));
            let key = DeliveryKey { message, endpoint };
            match found.remove(&endpoint) {
                None if deleted => {}
                None => return broken(key, "the store does not know this delivery"),
                Some((disabled, view)) => is_right(key, entry, deleted, disabled, view)?,
            }
        }
        match found.keys().next() {
            Some(endpoint) => broken(
                DeliveryKey {
                    message,
                    endpoint: *endpoint,
                },
                "the store owes what nobody wants",
            ),
            None => Ok(()),
        }
    }

    fn audit_endpoint(&self, app: AppId, endpoint: EndpointId) -> Result<(), Broken> {
        let mut expected = Counts::default();
        let owed = self
            .ledger
            .messages
            .values()
            .filter_map(|sent| sent.owed.get(&endpoint));
        for entry in owed {
            *match entry.durable.state {
                DeliveryState::Pending => &mut expected.pending,
                DeliveryState::Delivered => &mut expected.success,
                DeliveryState::Failed => &mut expected.fail,
                DeliveryState::Cancelled => &mut expected.cancelled,
            } += 1;
        }
        let (since, until) = Self::ever();
        let counts = self
            .disk
            .wait(self.disk.store.endpoint_counts(endpoint, since, until));
        match counts {
            Ok(counts) if counts == expected => Ok(()),
            Err(StoreError::NotFound) if !self.apps.contains(&app) => Ok(()),
            counts => Err(Broken {
                what: format!("counted {counts:?}, expected {expected:?}"),
                about: vec![endpoint.raw()],
            }),
        }
    }

    /// All has been well for long: nothing is pending, and the store agrees.
    pub(super) fn judge(&mut self) -> Result<(), Broken> {
        self.tidy();
        for (message, sent) in &self.ledger.messages {
            for (endpoint, entry) in &sent.owed {
                let key = DeliveryKey {
                    message: *message,
                    endpoint: *endpoint,
                };
                let over = !entry.live.is_pending() && entry.live == entry.durable;
                if !over && !self.ledger.is_deleted(*endpoint) {
                    return self.left_over(key, entry);
                }
            }
        }
        let snapshot = self.process.engine.snapshot();
        if snapshot.in_flight + snapshot.deliveries + snapshot.bytes > 0 {
            return Err(Broken {
                what: format!("the engine still holds something: {snapshot:?}"),
                about: Vec::new(),
            });
        }
        let pending = self.disk.wait(self.disk.store.pending()).map_err(failed)?;
        if pending > 0 {
            return Err(Broken {
                what: format!("{pending} rows are still pending"),
                about: Vec::new(),
            });
        }
        self.audit(usize::MAX)
    }

    fn left_over(&self, key: DeliveryKey, entry: &Entry) -> Result<(), Broken> {
        let app = self.endpoints[&key.endpoint].0;
        let endpoint = self.disk.store.endpoint(app, EndpointRef::Id(key.endpoint));
        let endpoint = self.disk.wait(endpoint).map(|endpoint| endpoint.disabled);
        let lane = self.process.engine.lane_view(key.endpoint);
        broken(
            key,
            format!("still {entry:?} when all is well; disabled: {endpoint:?}; {lane:?}"),
        )
    }
}

fn is_right(
    key: DeliveryKey,
    entry: &Entry,
    deleted: bool,
    disabled: bool,
    view: DeliveryView,
) -> Result<(), Broken> {
    let expected = entry.durable.state;
    let right = if deleted {
        // What was pending or had failed may have been tidied away since.
        match view.state {
            DeliveryState::Pending => false,
            DeliveryState::Delivered => entry.arrived,
            DeliveryState::Failed => expected == DeliveryState::Failed,
            DeliveryState::Cancelled => expected != DeliveryState::Delivered,
        }
    } else {
        let parked = expected == DeliveryState::Pending && disabled;
        view.state == expected && view.parked == parked
    };
    if right {
        return Ok(());
    }
    broken(
        key,
        format!("the store says {view:?}, but it is {entry:?} (deleted: {deleted})"),
    )
}
