//! The one way in: a message is checked, given an id, routed and committed; only then is it taken.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringbolt_engine::{Admission, LaneState, LaneView, Target};
use ringbolt_model::{
    AppId, Application, Channel, Endpoint, EndpointId, EventTypeName, Message, MessageId, Tag,
    Timestamp, Uid,
};
use ringbolt_store::{
    Accept, AcceptRefused, Accepted, AppRef, EndpointRef, IdempotencyKey, StoreError, Write,
};
use tokio::time::Instant;

use crate::Handle;
use crate::message_lines::MessageLines;
use crate::shared::target;

/// A message as its sender gave it, checked.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What happened.
    pub event_type: EventTypeName,
    /// The sender's own identifier of the event.
    pub event_id: Option<Uid>,
    /// Where it is of interest.
    pub channels: Arc<[Channel]>,
    /// What lists can be narrowed by.
    pub tags: Arc<[Tag]>,
    /// The media type of the payload.
    pub content_type: Arc<str>,
    /// The bytes to deliver; an owned copy, no slice of a read buffer.
    pub payload: Bytes,
    /// When its content is to be removed, if earlier than usual.
    pub expires_at: Option<Timestamp>,
    /// The idempotency key that came with it.
    pub idempotency: Option<IdempotencyKey>,
}

/// A message that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Its id.
    pub id: MessageId,
    /// Whether the idempotency key had been seen before: this is the message of then.
    pub repeated: bool,
}

/// Why a message was not taken; nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The idempotency key was used within a day for another request.
    #[error("this idempotency key was used for another request within the last 24 hours")]
    KeyReused,
    /// A message of the application had this event id within a day.
    #[error("a message with this eventId was accepted within the last 24 hours")]
    EventIdTaken,
    /// The application was deleted meanwhile.
    #[error("the application was deleted")]
    ApplicationGone,
    /// The application was changed again and again while the message was routed; try again later.
    #[error("the application changes faster than a message can be routed")]
    Stale,
    /// More waits to be written than is good; try again later.
    #[error("too many messages wait to be written")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AcceptRefused> for Refused {
    fn from(refused: AcceptRefused) -> Self {
        match refused {
            AcceptRefused::KeyReused => Self::KeyReused,
            AcceptRefused::EventIdTaken => Self::EventIdTaken,
            AcceptRefused::ApplicationGone => Self::ApplicationGone,
            AcceptRefused::Stale => Self::Stale,
            AcceptRefused::Store(error) => Self::Store(error),
        }
    }
}

/// How long accepting is held back at most while the message's lanes catch up.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// How often it looks whether they have, for each started [`LOOK_FOR`] of them: a look costs as much as
/// there are lanes, and many senders may look at once.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOOK_FOR: usize = 64;

/// How often a message is routed at most. Each time but the first, its application was changed on another
/// node between the reading of its routes and the commit.
const MOST_ROUTINGS: usize = 5;

/// Who gets a message.
#[derive(Clone, Copy)]
enum Whom {
    /// The endpoints that want it.
    Subscribed,
    /// This one.
    One(EndpointId),
}

/// Who gets a message, by a version of the routes.
struct Routed {
    targets: Vec<Target>,
    version: u64,
}

/// A message on its way to the store.
struct Letter {
    message: Arc<Message>,
    idempotency: Option<IdempotencyKey>,
}

impl Handle {
    /// Takes a message: it is on disk when this returns, and will be delivered.
    ///
    /// # Errors
    /// [`Refused`]; nothing was stored.
    pub async fn accept(&self, app: &Application, draft: Draft) -> Result<Taken, Refused> {
        self.take(app, draft, Whom::Subscribed).await
    }

    /// Takes a message for one endpoint only, whether or not the endpoint wants messages like it.
    ///
    /// # Errors
    /// [`Refused`]; nothing was stored.
    pub async fn accept_for(
        &self,
        app: &Application,
        endpoint: &Endpoint,
        draft: Draft,
    ) -> Result<Taken, Refused> {
        self.take(app, draft, Whom::One(endpoint.id)).await
    }

    async fn take(&self, app: &Application, draft: Draft, whom: Whom) -> Result<Taken, Refused> {
        if self.0.stopping() {
            return Err(Refused::Stopping);
        }
        self.0.store.may_accept()?;
        let (event_type, channels) = (&draft.event_type, &draft.channels);
        let mut routed = self.route(app.id, whom, event_type, channels).await?;
        self.stop_disabled(&routed.targets).await;
        let letter = self.letter(app, draft);
        let message = &letter.message;
        for _ in 1..MOST_ROUTINGS {
            match self.commit(&letter, &routed).await {
                Err(Refused::Stale) => {}
                answer => return answer,
            }
            self.0.routing.outdated(app.id, routed.version);
            let (event_type, channels) = (&message.event_type, &message.channels);
            routed = self.route(app.id, whom, event_type, channels).await?;
            for target in &routed.targets {
                // It may have been somewhere else before.
                self.0.transport.forget(target.endpoint);
            }
            self.stop_disabled(&routed.targets).await;
        }
        self.commit(&letter, &routed).await
    }

    /// Routes may say that an endpoint was disabled on another node before its lane has heard of it: the message must
    /// not go there.
    async fn stop_disabled(&self, targets: &[Target]) {
        let disabled = targets.iter().filter(|target| target.settings.disabled);
        for target in disabled {
            let begins = |lane: LaneView| lane.state != LaneState::Disabled;
            if self.lane(target.endpoint).is_some_and(begins) {
                self.0.reconfigure(target.endpoint).await;
            }
        }
    }

    /// Who gets a message. The version is read before whatever it stands for.
    async fn route(
        &self,
        app: AppId,
        whom: Whom,
        event_type: &EventTypeName,
        channels: &[Channel],
    ) -> Result<Routed, Refused> {
        let one = match whom {
            Whom::Subscribed => return self.subscribed(app, event_type, channels).await,
            Whom::One(endpoint) => EndpointRef::Id(endpoint),
        };
        let store = &self.0.store;
        let version = store.routes_version(app).await.map_err(of_application)?;
        let targets = vec![target(&store.endpoint(app, one).await?)];
        Ok(Routed { targets, version })
    }

    /// The endpoints that want a message. Accepting is cheaper than delivering: where their lanes are
    /// busy but make progress, the sender waits a little, so that what is owed stays in memory. The
    /// application is looked at again each time, since its endpoints may change meanwhile.
    async fn subscribed(
        &self,
        app: AppId,
        event_type: &EventTypeName,
        channels: &[Channel],
    ) -> Result<Routed, Refused> {
        let began = Instant::now();
        loop {
            let routes = self.routes(&AppRef::Id(app)).await;
            let routes = routes.map_err(of_application)?;
            let (targets, version) = (routes.matching(event_type, channels), routes.version);
            let left = LONGEST_WAIT.saturating_sub(began.elapsed());
            if left.is_zero() || !self.0.crowded(&targets) {
                return Ok(Routed { targets, version });
            }
            tokio::time::sleep(look_after(targets.len()).min(left)).await;
        }
    }

    fn letter(&self, app: &Application, draft: Draft) -> Letter {
        let message = Message {
            id: self.new_id(),
            app: app.id,
            event_type: draft.event_type,
            event_id: draft.event_id,
            channels: draft.channels,
            tags: draft.tags,
            content_type: draft.content_type,
            payload: Some(draft.payload),
            expires_at: draft.expires_at,
        };
        Letter {
            message: Arc::new(message),
            idempotency: draft.idempotency,
        }
    }

    async fn commit(&self, letter: &Letter, routed: &Routed) -> Result<Taken, Refused> {
        let (id, app) = (letter.message.id, letter.message.app);
        let taken = match self.submit(letter, routed)?.await {
            Ok(Ok(Accepted::New)) => Taken {
                id,
                repeated: false,
            },
            Ok(Ok(Accepted::Repeated(id))) => Taken { id, repeated: true },
            Ok(Err(refused)) => return Err(refused.into()),
            Err(_) => return Err(Refused::Stopping),
        };
        MessageLines::accepted(app, taken.id, routed.targets.len(), taken.repeated);
        Ok(taken)
    }

    fn submit(
        &self,
        letter: &Letter,
        routed: &Routed,
    ) -> Result<tokio::sync::oneshot::Receiver<Answer>, Refused> {
        let message = letter.message.clone();
        let bytes = message.payload.as_ref().map_or(0, Bytes::len);
        let due = self.0.clock.steady();
        let admitted = self.0.admit(due, message.id, bytes, &routed.targets);
        let (Admission { fresh, stored }, generation) = admitted;
        let (ticket, answer) = self.0.waiters.join(generation);
        let accept = Accept {
            message,
            fresh,
            stored,
            due,
            routes: routed.version,
            idempotency: letter.idempotency,
            ticket,
        };
        if let Err(write) = self.0.store.submit(Write::Accept(accept)) {
            if let Write::Accept(accept) = *write {
                self.0.abandoned(&accept);
                self.0
                    .waiters
                    .answer(accept.ticket, Err(AcceptRefused::ApplicationGone));
            }
            return Err(Refused::Overloaded {
                retry_after: Duration::from_secs(1),
            });
        }
        Ok(answer)
    }
}

fn of_application(error: StoreError) -> Refused {
    match error {
        StoreError::NotFound => Refused::ApplicationGone,
        other => Refused::Store(other),
    }
}

fn look_after(lanes: usize) -> Duration {
    LOOK_EVERY.saturating_mul(u32::try_from(lanes.div_ceil(LOOK_FOR)).unwrap_or(u32::MAX))
}

/// What a waiting sender is told.
pub(crate) type Answer = Result<Accepted, AcceptRefused>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_lanes_there_are_to_look_at_the_more_rarely_that_is_done() {
        assert_eq!(look_after(1), LOOK_EVERY);
        assert_eq!(look_after(64), LOOK_EVERY);
        assert_eq!(look_after(640), LOOK_EVERY * 10);
        assert!(look_after(usize::MAX) >= LONGEST_WAIT);
    }
}
