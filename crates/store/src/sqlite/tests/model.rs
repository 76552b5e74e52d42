//! Random sequences against a model: whatever happens, every delivery stands where it should.

use std::time::Duration;

use proptest::prelude::*;
use ringbolt_model::{
    AppId, DeliveryKey, DeliveryState, EndpointId, FinalReason, MessageId, Trigger,
};

use super::ground::TempStore;
use crate::conformance::Bench;
use crate::sqlite::faults::Faults;
use crate::{Accept, AcceptRefused, Accepted, Settled, Spill, Write};

#[derive(Debug, Clone)]
enum Step {
    /// Accept a message; each endpoint does not want it, has it fresh, or stored.
    Accept([u8; 3], Trouble),
    Try(usize, u8, Trouble),
    Spill(usize),
    Resend(usize),
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum Trouble {
    None,
    CommitFails,
    CommitIsInDoubt,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        8 => Just(Trouble::None),
        1 => Just(Trouble::CommitFails),
        1 => Just(Trouble::CommitIsInDoubt),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => ([0_u8..3, 0_u8..3, 0_u8..3], trouble()).prop_map(|(a, t)| Step::Accept(a, t)),
        6 => (any::<usize>(), 0_u8..5, trouble()).prop_map(|(i, s, t)| Step::Try(i, s, t)),
        1 => any::<usize>().prop_map(Step::Spill),
        1 => any::<usize>().prop_map(Step::Resend),
        1 => Just(Step::Crash),
    ]
}

/// What the model knows of a delivery.
#[derive(Debug, Clone, Copy)]
struct Known {
    key: DeliveryKey,
    fresh: bool,
    state: DeliveryState,
}

struct Run {
    bench: Bench,
    faults: Faults,
    app: AppId,
    endpoints: Vec<EndpointId>,
    known: Vec<Known>,
}

impl Run {
    async fn start() -> Self {
        let ground = TempStore::new();
        let faults = ground.faults.clone();
        let bench = Bench::on(ground).await;
        let app = bench.app().await;
        let mut endpoints = Vec::new();
        for _ in 0..3 {
            endpoints.push(bench.endpoint(app).await);
        }
        Self {
            bench,
            faults,
            app,
            endpoints,
            known: Vec::new(),
        }
    }

    async fn step(&mut self, step: Step) {
        self.bench.pass(Duration::from_millis(1));
        match step {
            Step::Accept(wants, trouble) => self.accept(wants, trouble).await,
            Step::Try(choice, settled, trouble) => self.attempt(choice, settled, trouble).await,
            Step::Spill(choice) => self.spill(choice).await,
            Step::Resend(choice) => self.resend(choice).await,
            Step::Crash => self.crash().await,
        }
    }

    fn order(&self, trouble: Trouble) {
        match trouble {
            Trouble::None => {}
            Trouble::CommitFails => self.faults.fail_commits(1),
            Trouble::CommitIsInDoubt => self.faults.doubt_commits(1),
        }
    }

    async fn accept(&mut self, wants: [u8; 3], trouble: Trouble) {
        let which = |kind| -> Vec<EndpointId> {
            let wanted = self
                .endpoints
                .iter()
                .zip(wants)
                .filter(|(_, want)| *want == kind);
            wanted.map(|(endpoint, _)| *endpoint).collect()
        };
        let (fresh, stored) = (which(1), which(2));
        let message = self.bench.message(self.app);
        let id = message.id;
        let accept = Accept {
            stored: stored.as_slice().into(),
            ..self.bench.to_accept(message, &fresh)
        };
        self.order(trouble);
        match (self.bench.accept(accept).await, trouble) {
            (Ok(Accepted::New), Trouble::None) => {}
            (Err(AcceptRefused::Store(_)), Trouble::CommitFails | Trouble::CommitIsInDoubt) => {
                // Only a process that lives on can remove what it has refused.
                while !self.bench.store.health().writable {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                return;
            }
            (answer, _) => panic!("{trouble:?} made {answer:?}"),
        }
        let known = |endpoint: &EndpointId, fresh| Known {
            key: DeliveryKey {
                message: id,
                endpoint: *endpoint,
            },
            fresh,
            state: DeliveryState::Pending,
        };
        self.known
            .extend(fresh.iter().map(|endpoint| known(endpoint, true)));
        self.known
            .extend(stored.iter().map(|endpoint| known(endpoint, false)));
    }

    fn choose(&mut self, choice: usize, fits: impl Fn(&Known) -> bool) -> Option<&mut Known> {
        let mut fitting: Vec<_> = self.known.iter_mut().filter(|known| fits(known)).collect();
        let count = fitting.len();
        (count > 0).then(|| fitting.swap_remove(choice % count))
    }

    async fn attempt(&mut self, choice: usize, settled: u8, trouble: Trouble) {
        let at = self.bench.now();
        let (settled, state) = match settled {
            0 | 1 => (Settled::Delivered, DeliveryState::Delivered),
            2 => (Settled::Retry { at, attempts: 1 }, DeliveryState::Pending),
            3 => (
                Settled::Failed(FinalReason::Exhausted),
                DeliveryState::Failed,
            ),
            _ => (Settled::Waits, DeliveryState::Pending),
        };
        let pending = |known: &Known| known.state == DeliveryState::Pending;
        let Some(known) = self.choose(choice, pending) else {
            return;
        };
        let Known { key, fresh, .. } = *known;
        known.state = state;
        known.fresh = fresh && settled == Settled::Waits;
        let delivery = (key.message, key.endpoint);
        let outcome = self.bench.outcome(self.app, delivery, fresh, settled);
        self.order(trouble);
        self.bench.write(vec![Write::Outcome(outcome)]).await;
    }

    async fn spill(&mut self, choice: usize) {
        let Some(known) = self.choose(choice, |known| known.fresh) else {
            return;
        };
        known.fresh = false;
        let deliveries = vec![known.key];
        let spill = Spill {
            deliveries,
            due: self.bench.now(),
            trigger: Trigger::Scheduled,
        };
        self.bench.write(vec![Write::Spill(spill)]).await;
    }

    async fn resend(&mut self, choice: usize) {
        let Some(known) = self.choose(choice, |_| true) else {
            return;
        };
        known.state = DeliveryState::Pending;
        let key = known.key;
        let now = self.bench.now();
        let sent = self
            .bench
            .store
            .resend(self.app, key.message, key.endpoint, now)
            .await;
        assert_eq!(sent, Ok(now));
    }

    async fn crash(&mut self) {
        let fresh = self.known.iter().filter(|known| known.fresh).count();
        self.bench = self.bench.after_crash().await;
        assert_eq!(self.bench.store.reopen(self.bench.now()).await, Ok(fresh));
        self.known.iter_mut().for_each(|known| known.fresh = false);
    }

    async fn check(&self) {
        let mut messages: Vec<MessageId> =
            self.known.iter().map(|known| known.key.message).collect();
        messages.dedup();
        for message in messages {
            let mut expected: Vec<_> = self
                .known
                .iter()
                .filter(|known| known.key.message == message)
                .map(|known| (known.key.endpoint, known.state))
                .collect();
            expected.sort_unstable_by_key(|(endpoint, _)| *endpoint);
            assert_eq!(self.bench.states(self.app, message).await, expected);
        }
        for endpoint in &self.endpoints {
            let waits = |known: &&Known| {
                known.key.endpoint == *endpoint
                    && known.state == DeliveryState::Pending
                    && !known.fresh
            };
            let mut expected: Vec<_> = self
                .known
                .iter()
                .filter(waits)
                .map(|known| known.key.message)
                .collect();
            let mut due = self.bench.due(*endpoint).await;
            expected.sort_unstable();
            due.sort_unstable();
            assert_eq!(due, expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_delivery_stands_where_it_should(steps in prop::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::start().await;
            for step in steps {
                run.step(step).await;
            }
            run.check().await;
            run.crash().await;
            run.check().await;
        });
    }
}
