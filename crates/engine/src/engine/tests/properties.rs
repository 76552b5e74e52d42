//! Random histories: outages, crashes, configuration and removal, in any order.

use std::num::NonZeroU16;
use std::time::Duration;

use proptest::prelude::*;
use ringbolt_model::{DeliveryKey, EndpointId};

use super::world::{Known, Mode, World};
use crate::{Change, HealthSettings, MemorySettings, PageSettings, Settings};

const ENDPOINTS: u64 = 5;

#[derive(Debug, Clone)]
enum Step {
    Send {
        to: u8,
        bytes: usize,
        burst: u8,
        fails: bool,
    },
    Behave(u64, Mode),
    Enable(u64, bool),
    Concurrency(u64, u16),
    Rate(u64, u32),
    AppRate(u16),
    Remove(u64),
    Resend(u32),
    LoadsFail(bool),
    Crash,
    Pass(u64),
}

fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![
        4 => (1u64..300).prop_map(Mode::Good),
        1 => (1000u64..4000).prop_map(Mode::Good),
        3 => Just(Mode::Fails),
        1 => Just(Mode::Hangs),
        1 => Just(Mode::Gone),
        1 => (1u64..40, any::<bool>()).prop_map(|(wait, lane)| Mode::Asks(wait, lane)),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let endpoint = || 1..=ENDPOINTS;
    let step = prop_oneof![
        8 => (1u8..32, 0usize..300, 1u8..60, prop::bool::weighted(0.1))
            .prop_map(|(to, bytes, burst, fails)| Step::Send { to, bytes, burst, fails }),
        4 => (endpoint(), modes()).prop_map(|(n, mode)| Step::Behave(n, mode)),
        2 => (endpoint(), any::<bool>()).prop_map(|(n, on)| Step::Enable(n, on)),
        1 => (endpoint(), 0u16..6).prop_map(|(n, width)| Step::Concurrency(n, width)),
        1 => (endpoint(), 0u32..30).prop_map(|(n, rate)| Step::Rate(n, rate)),
        1 => (0u16..30).prop_map(Step::AppRate),
        1 => endpoint().prop_map(Step::Remove),
        2 => any::<u32>().prop_map(Step::Resend),
        1 => any::<bool>().prop_map(Step::LoadsFail),
        1 => Just(Step::Crash),
        4 => (0u64..20).prop_map(Step::Pass),
        4 => (20u64..5_000).prop_map(Step::Pass),
        2 => (5_000u64..600_000).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

/// Small, so that every bound is met.
fn settings() -> Settings {
    Settings {
        in_flight: 12,
        schedule: "1s,5s,30s,2m".parse().unwrap(),
        health: HealthSettings {
            disable_after: Duration::from_secs(1800),
            messages: 3,
            apart: Duration::from_secs(300),
        },
        memory: MemorySettings {
            bytes: 20_000,
            deliveries: 200,
            lane_bytes: 8_000,
            lane_deliveries: 100,
        },
        pages: PageSettings {
            rows: 16,
            bytes: 2_000,
            at_once: 2,
        },
        ..Settings::default()
    }
}

fn world(seed: u64) -> World {
    let mut world = World::new(settings(), seed);
    for n in 1..=ENDPOINTS {
        world.add_endpoint(n, n % 2, Mode::Good(5));
    }
    world
}

fn take(world: &mut World, step: &Step) {
    match *step {
        Step::Send {
            to,
            bytes,
            burst,
            fails,
        } => {
            let wanted = |n: &u64| to & (1 << (n - 1)) != 0;
            let to: Vec<_> = (1..=ENDPOINTS)
                .filter(wanted)
                .map(EndpointId::from)
                .collect();
            for _ in 0..burst {
                world.send(&to, bytes, fails);
            }
        }
        Step::Behave(n, mode) => world.endpoints.get_mut(&n.into()).unwrap().mode = mode,
        Step::Enable(n, on) => world.configure(n.into(), |settings| settings.disabled = !on),
        Step::Concurrency(n, width) => {
            world.configure(n.into(), |settings| {
                settings.concurrency = NonZeroU16::new(width)
            });
        }
        Step::Rate(n, rate) => world.set_rate(n.into(), rate),
        Step::AppRate(rate) => world.set_app_rate(1, rate),
        Step::Remove(n) => world.remove(n.into()),
        Step::Resend(which) => resend(world, which),
        Step::LoadsFail(fail) => world.loads_fail = fail,
        Step::Crash => {
            let seed = u64::from(world.pick(1000));
            world.crash(seed);
        }
        Step::Pass(millis) => world.advance(Duration::from_millis(millis)),
    }
}

fn resend(world: &mut World, which: u32) {
    let ended = |(key, known): (&DeliveryKey, &Known)| {
        let ended = matches!(known, Known::Ended(_)) && !world.endpoints[&key.endpoint].removed;
        (ended && !world.in_flight.contains_key(key)).then_some(*key)
    };
    let ended: Vec<_> = world.deliveries.iter().filter_map(ended).collect();
    if !ended.is_empty() {
        world.resend(ended[which as usize % ended.len()]);
    }
}

/// Long waits that an endpoint asked for pass, and every probe's interval.
fn run_out(world: &mut World) {
    for _ in 0..200 {
        world.advance(Duration::from_secs(60));
        if world.is_done() {
            return;
        }
    }
    let waiting: Vec<_> = world
        .deliveries
        .iter()
        .filter(|(_, known)| !matches!(known, Known::Ended(_)))
        .collect();
    panic!(
        "{waiting:?} at {} in {:#?}",
        world.now,
        world.engine.snapshot()
    );
}

/// All is well again: everything must end, and nothing be left.
fn recover(world: &mut World) {
    world.loads_fail = false;
    world.set_app_rate(1, 0);
    for n in 1..=ENDPOINTS {
        let endpoint = world.endpoints.get_mut(&n.into()).unwrap();
        endpoint.mode = Mode::Good(5);
        world.configure(n.into(), |settings| settings.disabled = false);
    }
    run_out(world);
    world.advance(Duration::from_secs(3700));
    let left = world.engine.snapshot();
    assert_eq!((left.in_flight, left.deliveries, left.bytes), (0, 0, 0));
    assert_eq!(world.engine.lane_count(), 0, "{left:?}");
    assert_eq!(world.engine.next_wake(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 2, max_shrink_iters: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_delivery_ends_and_no_bound_is_passed(seed: u64, steps in steps()) {
        let mut world = world(seed);
        for step in &steps {
            take(&mut world, step);
        }
        recover(&mut world);
        let lost = |known: &Known| *known == Known::Ended(Change::Waits);
        prop_assert!(!world.deliveries.values().any(lost));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_seed_and_inputs_give_the_same_actions(seed: u64, steps in steps()) {
        let run = || {
            let mut world = world(seed);
            world.keep_log = true;
            for step in &steps {
                take(&mut world, step);
            }
            recover(&mut world);
            world.log
        };
        prop_assert_eq!(run(), run());
    }
}
