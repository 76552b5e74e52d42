//! What is promised whenever a try starts.

use ringbolt_engine::Start;
use ringbolt_model::{AppId, Timestamp};

use super::{Broken, Ledger, broken};

impl Ledger {
    /// A try starts.
    pub(in crate::simulator) fn started(
        &mut self,
        start: &Start,
        now: Timestamp,
    ) -> Result<(), Broken> {
        self.is_owed(start)?;
        self.is_due(start, now)?;
        self.lane_may_start(start, now)?;
        self.keeps_pace(start.message.app, start, now)?;
        self.in_flight += 1;
        if self.in_flight > self.settings.in_flight {
            return broken(
                start.delivery,
                format!("{} attempts in flight in all", self.in_flight),
            );
        }
        Ok(())
    }

    fn is_owed(&self, start: &Start) -> Result<(), Broken> {
        let key = start.delivery;
        let Some(sent) = self.messages.get(&key.message) else {
            return broken(key, "a message starts that was not accepted");
        };
        let Some(entry) = sent.owed.get(&key.endpoint) else {
            return broken(key, "a message starts to an endpoint that did not want it");
        };
        if !entry.live.is_pending() && !entry.may_be_tried {
            return broken(
                key,
                format!("a delivery starts that is {:?}", entry.live.state),
            );
        }
        match &start.message.payload {
            Some(payload) if *payload != sent.payload => broken(key, "the payload has changed"),
            None if !sent.expunged => broken(key, "the payload is missing"),
            _ => Ok(()),
        }
    }

    fn is_due(&self, start: &Start, now: Timestamp) -> Result<(), Broken> {
        let key = start.delivery;
        let Some(entry) = self.entry(key) else {
            return Ok(());
        };
        if entry.live.due > now {
            return broken(
                key,
                format!("a try starts before it is due at {}", entry.live.due),
            );
        }
        // A page may have been read before the delivery was sent again by hand, or after.
        let attempts = [entry.live.attempts, entry.durable.attempts];
        let before = entry.before_resend == Some(start.attempts);
        if !attempts.contains(&start.attempts) && !before {
            return broken(
                key,
                format!(
                    "{} tries are used up, not {}",
                    entry.live.attempts, start.attempts
                ),
            );
        }
        Ok(())
    }

    fn lane_may_start(&mut self, start: &Start, now: Timestamp) -> Result<(), Broken> {
        let key = start.delivery;
        let (most, breaks) = (
            self.settings.concurrency_max,
            self.settings.breaker.failures,
        );
        let lane = self.lane(key.endpoint);
        if lane.removed {
            return broken(key, "a try starts to an endpoint that was deleted");
        }
        if lane.blocked {
            return broken(key, "a try starts to an endpoint that is disabled");
        }
        if let Some(until) = lane.held_until.filter(|until| *until > now) {
            return broken(key, format!("the endpoint asked to wait until {until}"));
        }
        if lane.flying.insert(key.message, start.probe).is_some() {
            return broken(key, "a delivery is in flight twice");
        }
        let width = lane
            .settings
            .concurrency
            .map_or(most, std::num::NonZeroU16::get);
        if lane.flying.len() > usize::from(width) {
            return broken(
                key,
                format!("{} attempts in flight, {width} allowed", lane.flying.len()),
            );
        }
        let open = breaks > 0 && lane.failures >= breaks;
        if open != start.probe {
            return broken(
                key,
                format!(
                    "probe: {}, after {} failures in a row",
                    start.probe, lane.failures
                ),
            );
        }
        if lane.flying.values().filter(|probes| **probes).count() > 1 {
            return broken(key, "two probes at once");
        }
        Ok(())
    }

    fn keeps_pace(&mut self, app: AppId, start: &Start, now: Timestamp) -> Result<(), Broken> {
        let lane = self.lane(start.delivery.endpoint);
        let rate = lane.settings.rate.map(std::num::NonZeroU32::get);
        lane.pace.set(rate);
        if let Some((count, seconds)) = lane.pace.start(now) {
            return broken(
                start.delivery,
                format!("{count} tries within {seconds} s at a rate of {rate:?}"),
            );
        }
        if let Some((count, seconds)) = self.apps.entry(app).or_default().start(now) {
            return broken(
                start.delivery,
                format!("{count} tries of an application within {seconds} s"),
            );
        }
        Ok(())
    }
}
