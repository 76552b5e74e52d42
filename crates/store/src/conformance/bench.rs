//! What the cases work with: a store that is listened to, and shorthands.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use ringbolt_model::Secret;
use ringbolt_model::{
    AppId, Application, Attempt, AttemptFailure, Clock, CustomHeaders, DeliveryKey, DeliveryState,
    Endpoint, EndpointId, EndpointSecrets, IdMaker, Message, MessageId, Metadata, Timestamp,
    Timings, Trigger,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::Ground;
use crate::{
    Accept, AcceptRefused, Accepted, NewEndpoint, Order, Outcome, Page, Receipt, Settled, Store,
    Write,
};

/// When the suite takes place.
pub const START: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

/// Longer than any write takes, unless it is lost.
const LOST: Duration = Duration::from_secs(20);

/// A clock that always shows [`START`].
#[derive(Debug, Clone, Copy, Default)]
pub struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        START
    }

    fn steady(&self) -> Timestamp {
        START
    }
}

/// A store that is listened to, and shorthands for what most cases do.
pub struct Bench {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Makes ids, across restarts.
    pub ids: Arc<IdMaker>,
    ground: Box<dyn Ground>,
    /// Held while the listener may not go on.
    gate: Arc<Mutex<()>>,
    receipts: tokio::sync::Mutex<UnboundedReceiver<Vec<Receipt>>>,
    now: Mutex<Timestamp>,
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bench")
    }
}

impl Bench {
    /// A bench on this ground.
    pub async fn on(ground: impl Ground + 'static) -> Self {
        Self::stand(Box::new(ground), Arc::new(IdMaker::new(0, 0)), START).await
    }

    async fn stand(ground: Box<dyn Ground>, ids: Arc<IdMaker>, now: Timestamp) -> Self {
        let store = ground.store();
        let (sender, receipts) = unbounded_channel();
        let gate = Arc::new(Mutex::new(()));
        let passed = Arc::clone(&gate);
        store.listen(Box::new(move |batch| {
            let _passed = passed.lock();
            // The bench may have gone.
            let _gone = sender.send(batch);
        }));
        let receipts = tokio::sync::Mutex::new(receipts);
        Self {
            store,
            ids,
            ground,
            gate,
            receipts,
            now: Mutex::new(now),
        }
    }

    /// What a new process finds if this one is killed now; marks are not reopened yet.
    pub async fn after_crash(&self) -> Self {
        Self::stand(self.ground.after_crash(), Arc::clone(&self.ids), self.now()).await
    }

    /// The bench's time: ids are made from it.
    pub fn now(&self) -> Timestamp {
        *self.now.lock()
    }

    /// Lets time pass.
    pub fn pass(&self, span: Duration) {
        let mut now = self.now.lock();
        *now = *now + span;
    }

    /// Stores an application.
    pub async fn app(&self) -> AppId {
        let app = self.application();
        let id = app.id;
        self.store
            .create_application(app)
            .await
            .expect("an application is stored");
        id
    }

    /// An application that is not stored.
    pub fn application(&self) -> Application {
        Application {
            id: self.ids.next(self.now()),
            uid: None,
            name: "Acme".into(),
            throttle_rate: None,
            metadata: Metadata::default(),
            updated_at: self.now(),
        }
    }

    /// Stores an endpoint of an application.
    pub async fn endpoint(&self, app: AppId) -> EndpointId {
        let new = self.new_endpoint(app);
        let id = new.endpoint.id;
        self.store
            .create_endpoint(new)
            .await
            .expect("an endpoint is stored");
        id
    }

    /// All endpoints of an application that are there.
    pub async fn endpoints(&self, app: AppId) -> Vec<Endpoint> {
        let mut all = Vec::new();
        let mut page = Page {
            limit: 250,
            order: Order::Ascending,
            after: None,
        };
        loop {
            let listed = self.store.endpoints(app, page.clone()).await;
            let listed = listed.expect("endpoints are read");
            all.extend(listed.items);
            if listed.done {
                return all;
            }
            page.after = listed.reached;
        }
    }

    /// An endpoint that is not stored.
    pub fn new_endpoint(&self, app: AppId) -> NewEndpoint {
        let endpoint = Endpoint::new(self.ids.next(self.now()), app, "https://example.com/hook");
        let secrets = EndpointSecrets {
            current: Secret::symmetric_from([7; 24]),
            old: Vec::new(),
        };
        NewEndpoint {
            endpoint,
            secrets,
            headers: CustomHeaders::default(),
        }
    }

    /// A message that is not stored.
    pub fn message(&self, app: AppId) -> Message {
        Message {
            id: self.ids.next(self.now()),
            app,
            event_type: "invoice.paid".parse().expect("a name"),
            event_id: None,
            channels: Arc::from([]),
            tags: Arc::from([]),
            content_type: ringbolt_model::message::JSON.into(),
            payload: Some(Bytes::from_static(b"{\"amount\": 1}")),
            expires_at: None,
        }
    }

    /// A request to accept a message with fresh deliveries.
    pub fn to_accept(&self, message: Message, fresh: &[EndpointId]) -> Accept {
        Accept {
            ticket: message.id.raw(),
            message: Arc::new(message),
            fresh: fresh.into(),
            stored: [][..].into(),
            due: self.now(),
            routes: 0,
            idempotency: None,
        }
    }

    /// Hands writes over at once, and returns their receipts once all have come.
    pub async fn write(&self, writes: Vec<Write>) -> Vec<Receipt> {
        let count = writes.len();
        for mut write in writes {
            if let Write::Accept(accept) = &mut write {
                let version = self.store.routes_version(accept.message.app).await;
                accept.routes = version.unwrap_or_default();
            }
            self.store.submit(write).expect("the queue has room");
        }
        self.receipts(count).await
    }

    /// Lets the listener wait, and with it whoever writes, until this is dropped.
    pub fn hold_receipts(&self) -> MutexGuard<'_, ()> {
        self.gate.lock()
    }

    /// The next receipts, once so many have come.
    pub async fn receipts(&self, count: usize) -> Vec<Receipt> {
        let mut receipts = self.receipts.lock().await;
        let mut got = Vec::new();
        while got.len() < count {
            let batch = timeout(LOST, receipts.recv())
                .await
                .expect("a receipt comes in time");
            got.extend(batch.expect("the store has not gone"));
        }
        got
    }

    /// Hands messages over at once, and returns what came of them, in order.
    pub async fn accept_all(&self, accepts: Vec<Accept>) -> Vec<Result<Accepted, AcceptRefused>> {
        let receipts = self
            .write(accepts.into_iter().map(Write::Accept).collect())
            .await;
        receipts
            .into_iter()
            .map(|receipt| match receipt {
                Receipt::Accept(_, answer) => answer,
                other => panic!("no receipt for a message: {other:?}"),
            })
            .collect()
    }

    /// Accepts one message.
    pub async fn accept(&self, accept: Accept) -> Result<Accepted, AcceptRefused> {
        self.accept_all(vec![accept]).await.remove(0)
    }

    /// Accepts a new message with fresh deliveries.
    pub async fn accepted(&self, app: AppId, fresh: &[EndpointId]) -> MessageId {
        let message = self.message(app);
        let id = message.id;
        assert_eq!(
            self.accept(self.to_accept(message, fresh)).await,
            Ok(Accepted::New)
        );
        id
    }

    /// Accepts a new message whose deliveries are stored.
    pub async fn accepted_stored(&self, app: AppId, stored: &[EndpointId]) -> MessageId {
        let message = self.message(app);
        let id = message.id;
        let accept = Accept {
            stored: stored.into(),
            ..self.to_accept(message, &[])
        };
        assert_eq!(self.accept(accept).await, Ok(Accepted::New));
        id
    }

    /// What came of a try.
    pub fn outcome(
        &self,
        app: AppId,
        (message, endpoint): (MessageId, EndpointId),
        fresh: bool,
        settled: Settled,
    ) -> Outcome {
        let succeeded = settled == Settled::Delivered;
        let attempt = Attempt {
            id: self.ids.next(self.now()),
            app,
            delivery: DeliveryKey { message, endpoint },
            trigger: Trigger::Scheduled,
            at: self.now(),
            url: "https://example.com/hook".into(),
            address: Some(([192, 0, 2, 1], 443).into()),
            status: if succeeded { 200 } else { 500 },
            failure: (!succeeded).then_some(AttemptFailure::Status),
            detail: None,
            headers: Bytes::from_static(b"content-type: text/plain\n"),
            body: Bytes::from_static(b"answered"),
            timings: Timings {
                total: Duration::from_millis(12),
                ..Timings::default()
            },
        };
        Outcome {
            attempt,
            fresh,
            settled,
        }
    }

    /// Records what came of a try.
    pub async fn settle(
        &self,
        app: AppId,
        delivery: (MessageId, EndpointId),
        fresh: bool,
        settled: Settled,
    ) {
        let outcome = self.outcome(app, delivery, fresh, settled);
        self.write(vec![Write::Outcome(outcome)]).await;
    }

    /// The state of each delivery of a message, by endpoint.
    pub async fn states(&self, app: AppId, message: MessageId) -> Vec<(EndpointId, DeliveryState)> {
        let page = Page {
            limit: 10_000,
            order: Order::Ascending,
            after: None,
        };
        let listing = self.store.message_deliveries(app, message, page).await;
        let mut states: Vec<_> = listing
            .expect("the message is there")
            .items
            .into_iter()
            .map(|(endpoint, view)| (endpoint.id, view.state))
            .collect();
        states.sort_unstable_by_key(|(endpoint, _)| *endpoint);
        states
    }

    /// The state of one delivery.
    pub async fn state(
        &self,
        app: AppId,
        message: MessageId,
        endpoint: EndpointId,
    ) -> Option<DeliveryState> {
        let states = self.states(app, message).await;
        states
            .into_iter()
            .find(|(id, _)| *id == endpoint)
            .map(|(_, state)| state)
    }

    /// The messages that an endpoint is due now, in order.
    pub async fn due(&self, endpoint: EndpointId) -> Vec<MessageId> {
        let page = self
            .store
            .due(endpoint, self.now(), 10_000, usize::MAX)
            .await;
        let page = page.expect("what is due can be read");
        page.deliveries
            .iter()
            .map(|delivery| delivery.message.id)
            .collect()
    }
}
