//! What the driver does: it tells the engine what happens, and does what the engine wants done.

use std::time::Duration;

use ringbolt_engine::{Action, Input, Start, Target};
use ringbolt_model::{AppId, EndpointId, Timestamp};
use ringbolt_store::{AppRef, Catalogue as _, Deliveries as _, StoreError};

use super::Simulation;
use super::agenda::{Event, Step};
use super::ledger::Broken;
use super::process::target;
use super::users::failed;
use super::weather::Answer;

pub(super) const TENTH: Duration = Duration::from_micros(100);
pub(super) const MILLI: Duration = Duration::from_millis(1);
/// How many of a hundred pages cannot be read.
const UNREADABLE: u64 = 1;
/// How many of a hundred steps may take much longer than they should.
const BUSY: u64 = 3;
/// How many of a hundred tries a user repeats by hand at once.
const REPEATED: u64 = 1;
/// How many of a hundred endpoints a user enables as soon as they are disabled.
const DEFENDED: u64 = 40;

impl Simulation {
    /// Lets the process do something after a while.
    pub(super) fn later(&mut self, low: Duration, high: Duration, step: Step) {
        let at = self.time.now() + self.delay(low, high);
        self.agenda.enter(at, Event::Step(step));
    }

    /// How long something takes; now and then the machine is busy with something else.
    pub(super) fn delay(&mut self, low: Duration, high: Duration) -> Duration {
        let busy = self.luck.chance(BUSY);
        self.luck.span(low, if busy { 50 * high } else { high })
    }

    pub(super) fn step(&mut self, step: Step) -> Result<(), Broken> {
        match step {
            Step::Route(draft) => self.route(draft),
            Step::Admit(draft) => self.admit(draft),
            Step::Commit => self.commit(),
            Step::Receipts(receipts) => self.take(receipts),
            Step::Read {
                endpoint,
                limit,
                bytes,
            } => self.read(endpoint, limit, bytes),
            Step::Tell(input) => self.tell(input),
            Step::TellRead {
                endpoint,
                changes,
                input,
                again,
            } => {
                if self.changes(endpoint) == changes {
                    self.tell(input)
                } else {
                    self.step(*again)
                }
            }
            Step::Changed(target) => self.changed(target),
            Step::Deleted(endpoint) => {
                *self.process.changes.entry(endpoint).or_default() += 1;
                self.tell(Input::Remove { endpoint })
            }
            Step::AppChanged(app) => self.read_rate(app),
            Step::Finish { start, answer } => self.finish(*start, answer),
            Step::Rows {
                endpoint,
                due,
                manual,
            } => self.rows(endpoint, due, manual),
            Step::Disable { endpoint, reason } => self.disable(endpoint, reason),
            Step::Reconfigure(endpoint) => self.reconfigure(endpoint),
            Step::KeepFailing { endpoint, failing } => {
                if !self.disk_is_bad() {
                    let kept = self.disk.store.keep_failing(endpoint, failing);
                    self.disk.wait(kept).map_err(failed)?;
                }
                Ok(())
            }
            Step::Recover(recovery) => self.recovery(recovery),
            Step::Resend(key) => self.resend_this(key),
            Step::Enable(endpoint) => self.enable(endpoint),
        }
    }

    /// Tells the engine something, and does what it wants.
    pub(super) fn tell(&mut self, input: Input) -> Result<(), Broken> {
        self.hear(&input);
        let mut actions = Vec::new();
        self.process
            .engine
            .handle(self.time.steady(), input, &mut actions);
        self.perform(actions)
    }

    /// Notes what the engine is about to be told.
    fn hear(&mut self, input: &Input) {
        match input {
            Input::Configure { target } => {
                self.process.routes.remove(&target.app);
                self.note(
                    "configure",
                    [0, target.endpoint.raw()],
                    target.settings.disabled.into(),
                );
                self.meets(target);
                let lane = self.ledger.lane(target.endpoint);
                lane.configured((*target.settings).clone());
            }
            Input::Remove { endpoint } => {
                if let Some((app, _)) = self.endpoints.get(endpoint) {
                    self.process.routes.remove(app);
                }
                self.note("remove", [0, endpoint.raw()], 0);
                self.ledger.lane(*endpoint).removed = true;
            }
            Input::Stored { target, due, .. } => {
                self.meets(target);
                self.note("stored", [0, target.endpoint.raw()], due.as_micros());
            }
            Input::Loaded {
                endpoint,
                deliveries,
                ..
            } => self.note("loaded", [0, endpoint.raw()], deliveries.len() as i64),
            _ => {}
        }
    }

    /// The engine may make a lane of this.
    pub(super) fn meets(&mut self, target: &ringbolt_engine::Target) {
        if self.process.engine.lane_view(target.endpoint).is_none() {
            self.ledger.meets(target);
        }
    }

    pub(super) fn perform(&mut self, actions: Vec<Action>) -> Result<(), Broken> {
        for action in actions {
            match action {
                Action::Start(start) => self.begin_try(start)?,
                Action::Load {
                    endpoint,
                    limit,
                    bytes,
                } => {
                    self.note("load", [0, endpoint.raw()], limit as i64);
                    let read = Step::Read {
                        endpoint,
                        limit,
                        bytes,
                    };
                    self.later(TENTH, 3 * MILLI, read);
                }
                Action::Spill { deliveries } | Action::Cancel { deliveries } => {
                    self.spill(deliveries)
                }
                Action::Disable {
                    endpoint, reason, ..
                } => {
                    self.note("disable", [0, endpoint.raw()], 0);
                    self.ledger.lane(endpoint).blocked = true;
                    self.later(TENTH, MILLI, Step::Disable { endpoint, reason });
                    if self.luck.chance(DEFENDED) {
                        self.later(TENTH, 20 * MILLI, Step::Enable(endpoint));
                    }
                }
                Action::Warn {
                    endpoint, percent, ..
                } => self.note("warn", [0, endpoint.raw()], percent.into()),
                Action::Breaker { .. } => {}
                Action::Health {
                    endpoint, failing, ..
                } => {
                    self.later(TENTH, MILLI, Step::KeepFailing { endpoint, failing });
                }
            }
        }
        Ok(())
    }

    fn begin_try(&mut self, start: Start) -> Result<(), Broken> {
        let key = start.delivery;
        self.note(
            if start.probe { "probe" } else { "start" },
            [key.message.raw(), key.endpoint.raw()],
            start.attempts.into(),
        );
        self.ledger.started(&start, self.time.steady())?;
        let answer = if start.message.payload.is_none() {
            Answer::expired()
        } else if self.ledger.is_deleted(key.endpoint) {
            Answer::missing()
        } else {
            let (_, character) = &self.endpoints[&key.endpoint];
            let spell = character.weather.at(self.time.now());
            Answer::drawn(spell, &mut self.luck)
        };
        let start = Box::new(start);
        let at = self.time.now() + answer.took;
        self.agenda
            .enter(at, Event::Step(Step::Finish { start, answer }));
        Ok(())
    }

    fn finish(&mut self, start: Start, answer: Answer) -> Result<(), Broken> {
        let (key, now) = (start.delivery, self.time.steady());
        let mut actions = Vec::new();
        let decision = self
            .process
            .engine
            .finished(now, key, answer.verdict, &mut actions);
        self.note(
            answer.word(),
            [key.message.raw(), key.endpoint.raw()],
            answer.status.into(),
        );
        let standing = self
            .ledger
            .finished(&start, answer.verdict, decision, now)?;
        if answer.missing {
            self.later(TENTH, MILLI, Step::Reconfigure(key.endpoint));
        }
        self.write_outcome(&start, &answer, decision, standing);
        if self.luck.chance(REPEATED) && !self.ledger.is_deleted(key.endpoint) {
            self.later(TENTH, 20 * MILLI, Step::Resend(key));
        }
        self.perform(actions)
    }

    fn read(&mut self, endpoint: EndpointId, limit: usize, bytes: usize) -> Result<(), Broken> {
        let input = if self.luck.chance(UNREADABLE) {
            Input::LoadFailed { endpoint }
        } else {
            let page = self
                .disk
                .store
                .due(endpoint, self.time.steady(), limit, bytes);
            let page = self.disk.wait(page).map_err(failed)?;
            Input::Loaded {
                endpoint,
                deliveries: page.deliveries.into_iter().map(into_engine).collect(),
                next_due: page.next_due,
                more: page.more,
            }
        };
        self.later(TENTH, 3 * MILLI, Step::Tell(input));
        Ok(())
    }

    fn rows(&mut self, endpoint: EndpointId, due: Timestamp, manual: bool) -> Result<(), Broken> {
        let again = Step::Rows {
            endpoint,
            due,
            manual,
        };
        self.tell_read(endpoint, again, |target| Input::Stored {
            target,
            due,
            manual,
        })
    }

    fn reconfigure(&mut self, endpoint: EndpointId) -> Result<(), Broken> {
        let again = Step::Reconfigure(endpoint);
        self.tell_read(endpoint, again, |target| Input::Configure { target })
    }

    /// A lane is told what the store says of its endpoint, unless a user changes that meanwhile.
    fn tell_read(
        &mut self,
        endpoint: EndpointId,
        again: Step,
        input: impl FnOnce(Target) -> Input,
    ) -> Result<(), Broken> {
        let changes = self.changes(endpoint);
        let found = self.disk.wait(self.disk.store.destination(endpoint));
        let input = match found {
            Ok(found) => {
                self.know_rate(found.endpoint.app)?;
                input(target(&found.endpoint))
            }
            Err(StoreError::NotFound) => Input::Remove { endpoint },
            Err(error) => return Err(failed(error)),
        };
        let step = Step::TellRead {
            endpoint,
            changes,
            input,
            again: Box::new(again),
        };
        self.later(TENTH, MILLI, step);
        Ok(())
    }

    fn changes(&self, endpoint: EndpointId) -> u64 {
        let changes = self.process.changes.get(&endpoint);
        changes.copied().unwrap_or_default()
    }

    /// A lane is told of a user's change. Another may have overtaken it: what the store says in the end
    /// holds.
    fn changed(&mut self, target: Target) -> Result<(), Broken> {
        let endpoint = target.endpoint;
        *self.process.changes.entry(endpoint).or_default() += 1;
        self.tell(Input::Configure { target })?;
        self.later(TENTH, MILLI, Step::Reconfigure(endpoint));
        Ok(())
    }

    /// The engine learns the rate of an application before anything starts for it.
    fn know_rate(&mut self, app: AppId) -> Result<(), Broken> {
        if self.process.rated.contains(&app) {
            return Ok(());
        }
        self.read_rate(app)
    }

    /// The engine is told the rate of an application as the store has it.
    pub(super) fn read_rate(&mut self, app: AppId) -> Result<(), Broken> {
        let found = self.disk.wait(self.disk.store.application(AppRef::Id(app)));
        let rate = match found {
            Ok(found) => found.throttle_rate,
            Err(StoreError::NotFound) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        self.ledger.rate(app, rate);
        let new = self.process.rated.insert(app);
        if new && rate.is_none() {
            return Ok(());
        }
        self.tell(Input::ApplicationRate { app, rate })
    }

    fn disable(
        &mut self,
        endpoint: EndpointId,
        reason: ringbolt_model::DisableReason,
    ) -> Result<(), Broken> {
        if !self.disk_is_bad() {
            let disabled = self
                .disk
                .store
                .disable_endpoint(endpoint, reason, self.time.day());
            self.disk.wait(disabled).map_err(failed)?;
        }
        self.later(TENTH, MILLI, Step::Reconfigure(endpoint));
        Ok(())
    }
}

fn into_engine(stored: ringbolt_store::StoredDelivery) -> ringbolt_engine::StoredDelivery {
    ringbolt_engine::StoredDelivery {
        message: stored.message,
        attempts: stored.attempts,
        trigger: stored.trigger,
    }
}
