//! What users do with messages, and what happens to the machine.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::{AppId, Channel, DeliveryKey, Endpoint, EventTypeName, MessageId, Timestamp};
use ringbolt_store::{
    Catalogue as _, Deliveries as _, Log as _, Order, Page, ResendRefused, StoreError, Upkeep as _,
};

use super::Simulation;
use super::acting::{MILLI, TENTH};
use super::agenda::{Recovery, Step};
use super::deeds::Draft;
use super::ledger::{Broken, broken, window};
use super::process::{Route, target};
use super::users::failed;
use super::world::{CHANNELS, EVENT_TYPES};

/// How long a message may wait between being routed and being committed, at most.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// How many deliveries a step of a recovery makes due.
const STEP: usize = 7;

impl Simulation {
    pub(super) fn send(&mut self) {
        let app = self.chance.pick(&self.apps);
        let event_type: EventTypeName = self.chance.pick(&EVENT_TYPES).parse().expect("a name");
        let channels = CHANNELS.iter().filter(|_| self.chance.chance(30));
        let channels: Arc<[Channel]> = channels.filter_map(|name| name.parse().ok()).collect();
        let most = 1 << self.chance.between(6, 11);
        let bytes = self.chance.between(40, most) as usize;
        let draft = Draft {
            app,
            event_type,
            channels,
            bytes,
            targets: Vec::new(),
        };
        self.later(TENTH / 10, LONGEST_WAIT, Step::Route(draft));
    }

    /// Finds who wants a message. What changes until it is admitted, a moment later, it does not see.
    pub(super) fn route(&mut self, mut draft: Draft) -> Result<(), Broken> {
        let Some(routes) = self.routes(draft.app)? else {
            return Ok(());
        };
        let wants = |route: &&Route| {
            let Draft {
                event_type,
                channels,
                ..
            } = &draft;
            route.subscription.wants(event_type, channels)
        };
        let wanted = routes.iter().filter(wants);
        draft.targets = wanted.map(|route| route.target.clone()).collect();
        self.later(TENTH / 10, TENTH, Step::Admit(draft));
        Ok(())
    }

    /// The routes of an application, as the process has them in memory.
    fn routes(&mut self, app: AppId) -> Result<Option<Arc<Vec<Route>>>, Broken> {
        if let Some(routes) = self.process.routes.get(&app) {
            return Ok(Some(Arc::clone(routes)));
        }
        let Some(endpoints) = self.of_app(app)? else {
            return Ok(None);
        };
        self.read_rate(app)?;
        let route = |endpoint: &Endpoint| Route {
            target: target(endpoint),
            subscription: endpoint.subscription.clone(),
        };
        let routes: Arc<Vec<Route>> = Arc::new(endpoints.iter().map(route).collect());
        self.process.routes.insert(app, Arc::clone(&routes));
        Ok(Some(routes))
    }

    fn of_app(&self, app: AppId) -> Result<Option<Vec<Endpoint>>, Broken> {
        let page = Page {
            limit: usize::MAX,
            order: Order::Ascending,
            after: None,
        };
        match self.disk.wait(self.disk.store.endpoints(app, page)) {
            Ok(_) | Err(StoreError::NotFound) if !self.apps.contains(&app) => Ok(None),
            Ok(endpoints) => Ok(Some(endpoints.items)),
            Err(error) => Err(failed(error)),
        }
    }

    /// A message of an application that is there.
    fn some_message(&mut self) -> Option<MessageId> {
        let there = self
            .ledger
            .messages
            .iter()
            .filter(|(_, sent)| self.apps.contains(&sent.app));
        let there: Vec<MessageId> = there.map(|(id, _)| *id).collect();
        (!there.is_empty()).then(|| self.chance.pick(&there))
    }

    pub(super) fn resend(&mut self) -> Result<(), Broken> {
        let Some(message) = self.some_message().filter(|_| !self.disk_is_bad()) else {
            return Ok(());
        };
        let app = self.ledger.messages[&message].app;
        let of_app = self
            .endpoints
            .iter()
            .filter(|(_, (owner, _))| *owner == app);
        let of_app: Vec<_> = of_app.map(|(id, _)| *id).collect();
        let endpoint = self.chance.pick(&of_app);
        self.resend_this(DeliveryKey { message, endpoint })
    }

    /// A user sends a message again.
    pub(super) fn resend_this(&mut self, key: DeliveryKey) -> Result<(), Broken> {
        let DeliveryKey { message, endpoint } = key;
        let sent = &self.ledger.messages[&message];
        let (app, expunged) = (sent.app, sent.expunged);
        if self.disk_is_bad() || !self.apps.contains(&app) {
            return Ok(());
        }
        let now = self.time.steady();
        let answer = self
            .disk
            .wait(self.disk.store.resend(app, message, endpoint, now));
        self.note(
            "resend",
            [message.raw(), endpoint.raw()],
            answer.is_ok().into(),
        );
        match answer {
            Ok(due) => {
                self.ledger.resent(key, now);
                let rows = Step::Rows {
                    endpoint,
                    due,
                    manual: true,
                };
                self.later(TENTH, 2 * MILLI, rows);
                Ok(())
            }
            Err(ResendRefused::MissingPayload) if expunged => Ok(()),
            Err(ResendRefused::Store(StoreError::NotFound)) if self.ledger.is_deleted(endpoint) => {
                Ok(())
            }
            Err(error) => broken(key, format!("it cannot be sent again: {error}")),
        }
    }

    pub(super) fn recover(&mut self) {
        let Some((_, endpoint)) = self.some_endpoint() else {
            return;
        };
        let span = self
            .chance
            .span(MILLI * 60_000, self.world.end.since(self.world.begin));
        let recovery = Recovery {
            endpoint,
            since: self.time.day() - span,
            until: self.time.day(),
            reached: None,
        };
        self.later(TENTH, MILLI, Step::Recover(recovery));
    }

    /// A step of a recovery; the next follows, or the same again if the disk is bad.
    pub(super) fn recovery(&mut self, mut recovery: Recovery) -> Result<(), Broken> {
        let Recovery {
            endpoint,
            since,
            until,
            reached,
        } = recovery;
        if self.disk_is_bad() {
            self.later(1000 * MILLI, 1000 * MILLI, Step::Recover(recovery));
            return Ok(());
        }
        let now = self.time.steady();
        let step = self
            .disk
            .store
            .recover(endpoint, since, until, reached, STEP, now);
        let step = self.disk.wait(step).map_err(failed)?;
        self.note("recover", [0, endpoint.raw()], step.deliveries as i64);
        let expected = self
            .ledger
            .recovered(endpoint, window(since, until, reached), STEP, now);
        if step.deliveries != expected {
            return Err(Broken {
                what: format!(
                    "{} deliveries were recovered, not {expected}",
                    step.deliveries
                ),
                about: vec![endpoint.raw()],
            });
        }
        if step.deliveries > 0 {
            let rows = Step::Rows {
                endpoint,
                due: now,
                manual: false,
            };
            self.later(TENTH, MILLI, rows);
        }
        if step.reached.is_some() {
            recovery.reached = step.reached;
            self.later(TENTH, 5 * MILLI, Step::Recover(recovery));
        }
        Ok(())
    }

    pub(super) fn expunge(&mut self) {
        let Some(message) = self.some_message().filter(|_| !self.disk_is_bad()) else {
            return;
        };
        let sent = self
            .ledger
            .messages
            .get_mut(&message)
            .expect("it was found there");
        let expunged = self.disk.store.expunge_message(sent.app, message);
        self.disk
            .wait(expunged)
            .expect("a message that is there can be expunged");
        sent.expunged = true;
        self.note("expunge", [message.raw(), 0], 0);
    }

    pub(super) fn jump(&mut self) {
        let span = self
            .chance
            .span(MILLI * 500, Duration::from_secs(10 * 3600));
        let ahead = self.chance.chance(50);
        self.time.jump(ahead, span);
        self.note("jump", [u64::from(ahead), 0], span.as_micros() as i64);
    }

    /// Tidies until nothing is left to do.
    pub(super) fn tidy(&mut self) {
        while !self.disk_is_bad() {
            let tidied = self.disk.wait(self.disk.store.tidy(self.time.day()));
            if !tidied.is_ok_and(|tidied| tidied.more) {
                for key in self.ledger.tidied(self.time.day()) {
                    self.note("expired", [key.message.raw(), key.endpoint.raw()], 0);
                }
                return;
            }
        }
    }

    /// The end of all that is pending, for what is counted.
    pub(super) const fn ever() -> (Timestamp, Timestamp) {
        (
            Timestamp::from_seconds(1_700_000_000),
            Timestamp::from_seconds(1_900_000_000),
        )
    }
}
