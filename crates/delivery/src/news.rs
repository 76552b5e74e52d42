//! News: what other nodes have changed, and what this one has got or lost, obeyed in the order in which it was heard.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ringbolt_engine::Engine;
use ringbolt_model::{AppId, EndpointId, KeyId};
use ringbolt_store::{AppRef, LaneWork, News, StoreError};
use tokio::sync::{Notify, Semaphore};
use tracing::{info, warn};

use crate::Handle;
use crate::driver::{lanes_back, stopped_within};
use crate::shared::Shared;

/// How much news may wait. When there is more, everything is looked at anew instead.
const MOST: usize = 4096;
/// How many endpoints and applications are read at once because of news.
const AT_ONCE: usize = 8;
/// How often a node that was disowned looks whether it may act again.
const LEASE_AGAIN: Duration = Duration::from_millis(100);

/// What is to be forgotten of API keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyNews {
    /// This one was revoked, or ends earlier.
    Key(KeyId),
    /// Any may have been.
    All,
}

/// Is told of keys; it must be quick.
pub(crate) type KeyEar = Box<dyn Fn(KeyNews) + Send + Sync>;

/// What is to be obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Heard {
    Application(AppId),
    Endpoint(AppId, EndpointId),
    Lanes(Vec<LaneWork>),
    Everything,
    /// The same, and lanes may have rows of which nothing was heard.
    Anew,
}

/// News that wait.
#[derive(Default)]
pub(crate) struct Inbox {
    waiting: Mutex<VecDeque<Heard>>,
    came: Notify,
}

impl Inbox {
    fn push(&self, heard: Heard) {
        let mut waiting = self.waiting.lock();
        if heard == Heard::Anew || waiting.len() >= MOST {
            waiting.clear();
            waiting.push_back(Heard::Anew);
        } else {
            waiting.push_back(heard);
        }
        drop(waiting);
        self.came.notify_one();
    }

    async fn next(&self) -> Heard {
        loop {
            if let Some(heard) = self.waiting.lock().pop_front() {
                return heard;
            }
            self.came.notified().await;
        }
    }
}

/// From now on news is heard.
pub(crate) fn hear(shared: &Arc<Shared>) {
    let weak = Arc::downgrade(shared);
    shared.store.hear(Box::new(move |news| {
        if let Some(shared) = weak.upgrade() {
            shared.heard(news);
        }
    }));
}

/// Obeys what was heard, until the driver stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        tokio::select! {
            () = shared.soft.cancelled() => return,
            heard = shared.inbox.next() => shared.obey(heard, &turns).await,
        }
    }
}

impl Shared {
    /// What cannot wait is done at once: a key that was revoked does not work any more, and an engine that was
    /// disowned starts nothing.
    fn heard(&self, news: News) {
        let heard = match news {
            News::Application(app) => Heard::Application(app),
            News::Endpoint(app, endpoint) => Heard::Endpoint(app, endpoint),
            News::Lanes(lanes) => Heard::Lanes(lanes),
            News::Everything => Heard::Everything,
            News::Key(key) => return self.tell_of_keys(KeyNews::Key(key)),
            News::Disowned => {
                warn!("others have taken over the deliveries of this node; it begins anew");
                self.disowned();
                Heard::Anew
            }
        };
        self.inbox.push(heard);
    }

    fn tell_of_keys(&self, news: KeyNews) {
        if let Some(ear) = self.key_ear.get() {
            ear(news);
        }
    }

    async fn obey(self: &Arc<Self>, heard: Heard, turns: &Arc<Semaphore>) {
        match heard {
            Heard::Application(app) => {
                self.changes
                    .note(app.raw(), || self.routing.application_changed(app));
                self.in_turn(turns, self.clone().application_again(app))
                    .await;
            }
            Heard::Endpoint(app, endpoint) => {
                self.changes.note(endpoint.raw(), || {
                    self.routing.endpoint_changed(app, endpoint);
                    self.transport.forget(endpoint);
                });
                self.in_turn(turns, self.clone().endpoint_again(endpoint))
                    .await;
            }
            Heard::Lanes(lanes) => {
                for LaneWork { endpoint, due } in lanes {
                    self.in_turn(turns, self.clone().rows(endpoint, due, false))
                        .await;
                }
            }
            Heard::Everything => self.everything(turns).await,
            Heard::Anew => {
                self.tracker.spawn(self.clone().anew());
                self.everything(turns).await;
            }
        }
    }

    /// Does something in a task of its own, when there is room for one more.
    async fn in_turn(
        &self,
        turns: &Arc<Semaphore>,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let turn = tokio::select! {
            () = self.soft.cancelled() => return,
            turn = turns.clone().acquire_owned() => turn,
        };
        self.tracker.spawn(async move {
            let _turn = turn;
            work.await;
        });
    }

    async fn endpoint_again(self: Arc<Self>, endpoint: EndpointId) {
        self.reconfigure(endpoint).await;
    }

    /// An application is another than it was; if it is gone, its lanes go.
    async fn application_again(self: Arc<Self>, app: AppId) {
        self.rate_again(app).await;
        if let Err(StoreError::NotFound) = self.store.application(AppRef::Id(app)).await {
            let lanes = self.look(Engine::endpoints);
            let its = lanes.into_iter().filter(|(_, of)| *of == app);
            let its: Vec<EndpointId> = its.map(|(endpoint, _)| endpoint).collect();
            Handle(self).application_deleted(app, &its);
        }
    }

    /// Anything may have changed: all that was read is forgotten, and each lane is told how it is now.
    async fn everything(self: &Arc<Self>, turns: &Arc<Semaphore>) {
        self.tell_of_keys(KeyNews::All);
        let rated: Vec<AppId> = self.changes.note_all(|| {
            self.routing.forget_all();
            self.transport.forget_all();
            let mut rated = self.rated.lock();
            rated.retain(|_, has_rate| *has_rate);
            rated.keys().copied().collect()
        });
        let lanes = self.look(Engine::endpoints);
        info!(
            lanes = lanes.len(),
            "other nodes may have changed something unheard; everything is read again"
        );
        for app in rated {
            self.in_turn(turns, self.clone().application_again(app))
                .await;
        }
        for (endpoint, _) in lanes {
            self.in_turn(turns, self.clone().endpoint_again(endpoint))
                .await;
        }
    }

    /// Lanes with rows come back, once this node may act: before that it is still the one that was disowned.
    async fn anew(self: Arc<Self>) {
        while !self.store.may_send() {
            if stopped_within(&self, LEASE_AGAIN).await {
                return;
            }
        }
        lanes_back(self).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn news_come_in_their_order_and_too_many_become_one() {
        let inbox = Inbox::default();
        for app in 0..MOST as u64 {
            inbox.push(Heard::Application(app.into()));
        }
        assert_eq!(inbox.next().await, Heard::Application(0.into()));
        inbox.push(Heard::Everything);
        assert_eq!(inbox.next().await, Heard::Application(1.into()));
        inbox.push(Heard::Everything);
        inbox.push(Heard::Everything);
        assert_eq!(inbox.next().await, Heard::Anew);
        assert!(inbox.waiting.lock().is_empty());
    }

    #[test]
    fn what_was_heard_before_all_was_lost_does_not_matter() {
        let inbox = Inbox::default();
        inbox.push(Heard::Lanes(Vec::new()));
        inbox.push(Heard::Anew);
        inbox.push(Heard::Everything);
        let waiting: Vec<_> = inbox.waiting.lock().drain(..).collect();
        assert_eq!(waiting, [Heard::Anew, Heard::Everything]);
    }
}
