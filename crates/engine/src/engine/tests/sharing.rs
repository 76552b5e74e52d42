//! What one endpoint does never delays another, and costs the same beside many others.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ringbolt_model::{AppId, EndpointId, MessageId};

use super::world::{Mode, World};
use crate::{Admission, Input, MemorySettings, Settings, Target};

#[test]
fn two_thousand_hanging_endpoints_do_not_delay_a_good_one() {
    let mut world = World::new(Settings::default(), 1);
    world.audit_rarely();
    let good = world.add_endpoint(1, 1, Mode::Good(5));
    world.send(&[good], 10, false);
    world.advance(Duration::from_millis(50));
    let hanging: Vec<EndpointId> = (2..2002)
        .map(|n| world.add_endpoint(n, 1, Mode::Hangs))
        .collect();
    for _ in 0..3 {
        world.send(&hanging, 10, false);
    }
    world.advance(Duration::from_secs(2));
    assert!((640..768).contains(&world.engine.snapshot().in_flight));
    for _ in 0..1000 {
        let message = world.send(&[good], 10, false);
        world.advance(Duration::from_millis(20));
        let last = world.arrived.last().unwrap();
        assert_eq!((last.message, last.endpoint), (message, good));
    }
    assert!(world.engine.snapshot().in_flight <= 768);
}

/// Two thousand endpoints of which nothing is known, all owed something.
fn two_thousand_that_hang(messages: usize) -> World {
    let mut world = World::new(Settings::default(), 1);
    world.audit_rarely();
    let hanging: Vec<EndpointId> = (1..=2000)
        .map(|n| world.add_endpoint(n, 1, Mode::Hangs))
        .collect();
    for _ in 0..messages {
        world.send(&hanging, 10, false);
    }
    world
}

#[test]
fn a_new_endpoint_beside_two_thousand_new_hanging_ones_waits_for_a_beat_at_most() {
    let mut world = two_thousand_that_hang(3);
    // While the first of them fill their slots, while others wait for their first, and once all are known.
    for (n, pause) in (0..).zip([0, 50, 500, 2_000, 7_000, 5_000, 1_000, 15_000, 60_000]) {
        world.advance(Duration::from_millis(pause));
        let new = world.add_endpoint(3000 + n, 1, Mode::Good(5));
        let message = world.send(&[new], 10, false);
        // A beat is 15 s for each of 128 slots.
        world.advance(Duration::from_millis(15_000 / 128 + 20));
        let last = world.arrived.last().map(|key| key.message);
        assert_eq!(last, Some(message), "{n}: {:?}", world.engine.snapshot());
    }
}

#[test]
fn a_flow_of_new_endpoints_passes_those_that_are_known_to_hang() {
    let mut world = two_thousand_that_hang(20);
    world.advance(Duration::from_secs(120));
    let arrived = world.arrived.len();
    for n in 0..500 {
        let new = world.add_endpoint(3000 + n, 1, Mode::Good(500));
        world.send(&[new], 10, false);
        world.advance(Duration::from_millis(10));
    }
    world.advance(Duration::from_millis(600));
    assert_eq!(world.arrived.len() - arrived, 500);
}

#[test]
fn those_that_hang_leave_memory_to_new_endpoints() {
    let memory = MemorySettings {
        deliveries: 10_000,
        ..MemorySettings::default()
    };
    let settings = Settings {
        memory,
        ..Settings::default()
    };
    let mut world = World::new(settings, 1);
    world.audit_rarely();
    let hanging: Vec<EndpointId> = (1..=2000)
        .map(|n| world.add_endpoint(n, 1, Mode::Hangs))
        .collect();
    for _ in 0..60 {
        world.send(&hanging, 10, false);
        world.advance(Duration::from_secs(1));
    }
    let (new, reads) = (world.add_endpoint(3000, 1, Mode::Good(5)), world.reads);
    world.send(&[new], 10, false);
    world.advance(Duration::from_millis(140));
    assert_eq!(world.arrived.len(), 1, "{:?}", world.engine.snapshot());
    assert!(world.reads - reads < 2000);
}

#[test]
fn sixty_busy_endpoints_that_begin_to_hang_at_once_delay_neither_others_nor_new_ones() {
    let mut world = World::new(Settings::default(), 1);
    world.audit_rarely();
    let good = world.add_endpoint(1, 1, Mode::Good(5));
    let turning: Vec<EndpointId> = (2..62)
        .map(|n| world.add_endpoint(n, 1, Mode::Good(5)))
        .collect();
    for n in 0..2000 {
        if n == 200 {
            let modes = turning.iter().map(|id| (id, Mode::Hangs));
            modes.for_each(|(id, mode)| world.endpoints.get_mut(id).unwrap().mode = mode);
        }
        world.send(&turning, 10, false);
        let mut messages = vec![world.send(&[good], 10, false)];
        if n % 20 == 10 {
            let new = world.add_endpoint(1000 + n, 1, Mode::Good(5));
            messages.push(world.send(&[new], 10, false));
            world.advance(Duration::from_millis(15_000 / 128));
        }
        world.advance(Duration::from_millis(20));
        let latest = || world.arrived.iter().rev().take(1000);
        for message in messages {
            let arrived = latest().any(|key| key.message == message);
            assert!(arrived, "{n}: {:?}", world.engine.snapshot());
        }
    }
}

#[test]
fn hanging_endpoints_are_all_tried_in_turn() {
    let mut world = two_thousand_that_hang(1);
    world.advance(Duration::from_secs(60));
    assert!(world.starts >= 2000, "{}", world.starts);
}

#[test]
fn one_attempt_at_a_time_is_found_to_hang_as_well() {
    let mut world = World::new(Settings::default(), 1);
    let narrow = world.add_endpoint(1, 1, Mode::Hangs);
    world.configure(narrow, |settings| settings.concurrency = NonZeroU16::new(1));
    world.send(&[narrow], 10, false);
    world.advance(Duration::from_secs(2));
    assert!(world.engine.is_known_to_hang(narrow));
}

#[test]
fn every_lane_gets_a_slot_before_any_gets_a_second() {
    let mut world = World::new(
        Settings {
            in_flight: 8,
            ..Settings::default()
        },
        1,
    );
    let busy = world.add_endpoint(1, 1, Mode::Good(100));
    for _ in 0..100 {
        world.send(&[busy], 10, false);
    }
    world.advance(Duration::from_millis(400));
    let others: Vec<EndpointId> = (2..6)
        .map(|n| world.add_endpoint(n, 1, Mode::Good(100)))
        .collect();
    for _ in 0..10 {
        world.send(&others, 10, false);
    }
    world.advance(Duration::from_millis(150));
    let of = |world: &World, endpoint| {
        world
            .in_flight
            .keys()
            .filter(|key| key.endpoint == endpoint)
            .count()
    };
    let shares: Vec<usize> = others.iter().map(|other| of(&world, *other)).collect();
    assert!(
        shares.iter().all(|share| *share >= 1),
        "{shares:?} beside {}",
        of(&world, busy)
    );
}

#[test]
fn a_start_costs_the_same_beside_a_hundred_thousand_idle_lanes() {
    let looks = |idle: u64| {
        let mut world = World::new(Settings::default(), 1);
        world.audit_rarely();
        let idle: Vec<Target> = (2..2 + idle)
            .map(EndpointId::from)
            .map(|endpoint| Target {
                endpoint,
                app: AppId::from(1),
                settings: Arc::default(),
            })
            .collect();
        let message = MessageId::from(u64::MAX);
        let Admission { fresh, stored } = world.engine.admit(world.now, message, 0, &idle);
        world.tell(Input::Abandoned {
            message,
            fresh,
            stored,
        });
        assert_eq!(world.engine.lane_count(), idle.len());
        let busy = world.add_endpoint(1, 1, Mode::Good(5));
        let (looks, starts) = (world.engine.looks(), world.starts);
        for _ in 0..2000 {
            world.send(&[busy], 0, false);
            world.advance(Duration::from_micros(300));
        }
        world.advance(Duration::from_millis(100));
        assert_eq!(world.starts - starts, 2000);
        world.engine.looks() - looks
    };
    assert!(
        looks(100_000) <= looks(0) + 200,
        "{} and {}",
        looks(100_000),
        looks(0)
    );
}

/// Endpoints that begin to get messages at some moment, and what they are like.
#[derive(Debug, Clone)]
struct Wave {
    endpoints: u64,
    messages: usize,
    mode: Mode,
    pause: u64,
}

fn waves() -> impl Strategy<Value = Vec<Wave>> {
    let mode = prop_oneof![
        3 => Just(Mode::Hangs),
        1 => Just(Mode::Fails),
        1 => (1500u64..14_000).prop_map(Mode::Good),
    ];
    let wave = (1u64..900, 1usize..4, mode, 0u64..20_000);
    let wave = wave.prop_map(|(endpoints, messages, mode, pause)| Wave {
        endpoints,
        messages,
        mode,
        pause,
    });
    prop::collection::vec(wave, 1..6)
}

/// Fails unless a new endpoint has its first answer a beat after its message, amid each of the waves.
fn all_newcomers_are_answered(seed: u64, waves: Vec<Wave>) -> Result<(), TestCaseError> {
    let mut world = World::new(Settings::default(), seed);
    world.audit_rarely();
    let mut next = 1;
    for wave in waves {
        let endpoints: Vec<EndpointId> = (next..next + wave.endpoints)
            .map(|n| world.add_endpoint(n, n % 7, wave.mode))
            .collect();
        next += wave.endpoints + 1;
        for _ in 0..wave.messages {
            world.send(&endpoints, 10, false);
        }
        world.advance(Duration::from_millis(wave.pause));
        let new = world.add_endpoint(next - 1, 1, Mode::Good(5));
        let message = world.send(&[new], 10, false);
        world.advance(Duration::from_millis(15_000 / 128 + 20));
        let answered = world.arrived.iter().any(|key| key.message == message);
        prop_assert!(answered, "{:?}", world.engine.snapshot());
    }
    Ok(())
}

#[test]
fn a_new_endpoint_goes_before_the_retries_of_hundreds_that_fail() {
    let wave = |endpoints, messages, mode, pause| Wave {
        endpoints,
        messages,
        mode,
        pause,
    };
    let waves = vec![
        wave(332, 1, Mode::Hangs, 0),
        wave(695, 3, Mode::Fails, 3481),
        wave(590, 2, Mode::Hangs, 1360),
    ];
    all_newcomers_are_answered(7_519_309_507_758_788_548, waves).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 20, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_others_do_a_new_endpoint_waits_for_a_beat_at_most(seed: u64, waves in waves()) {
        all_newcomers_are_answered(seed, waves)?;
    }
}
