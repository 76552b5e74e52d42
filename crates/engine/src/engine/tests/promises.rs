//! Single promises, one test each.

use std::num::NonZeroU16;
use std::time::Duration;

use ringbolt_model::{EndpointId, MessageId, Timestamp};

use super::world::{Known, Mode, START, World};
use crate::{Action, Input, LaneState, MemorySettings, Settings, Target};

const SECOND: Duration = Duration::from_secs(1);

fn world(mode: Mode) -> (World, EndpointId) {
    let mut world = World::new(Settings::default(), 1);
    let endpoint = world.add_endpoint(1, 1, mode);
    (world, endpoint)
}

fn arrived(world: &World) -> Vec<u64> {
    world.arrived.iter().map(|key| key.message.raw()).collect()
}

/// How many neighbours are out of order by more than a lane's width.
fn disorder(arrived: &[u64]) -> usize {
    let mut most = 0;
    arrived
        .iter()
        .filter(|one| {
            most = most.max(**one);
            **one + 64 < most
        })
        .count()
}

#[test]
fn a_first_try_that_succeeds_writes_no_row() {
    let (mut world, endpoint) = world(Mode::Good(5));
    for _ in 0..1000 {
        world.send(&[endpoint], 10, false);
        world.advance(SECOND / 1000);
    }
    world.advance(SECOND);
    assert_eq!((world.arrived.len(), world.reads), (1000, 0));
}

#[test]
fn a_paused_engine_tries_nothing_and_asks_for_no_turn_at_once() {
    let settings = Settings {
        paused: true,
        ..Settings::default()
    };
    let mut world = World::new(settings, 1);
    let endpoints = [1, 2].map(|id| world.add_endpoint(id, 1, Mode::Good(5)));
    for _ in 0..200 {
        world.send(&endpoints, 10, false);
    }
    world.advance(SECOND * 60);
    assert!(world.arrived.is_empty() && world.in_flight.is_empty());
    assert_eq!(world.reads, 0);
    let held = world.engine.snapshot().deliveries;
    assert!(held > 0 && held <= MemorySettings::default().deliveries);
    let wake = world.engine.next_wake();
    assert!(wake.is_none_or(|at| at > START + SECOND * 60), "{wake:?}");
}

#[test]
fn a_lane_that_answers_promptly_grows_to_32_and_no_further() {
    let (mut world, endpoint) = world(Mode::Good(50));
    for _ in 0..1000 {
        world.send(&[endpoint], 10, false);
    }
    world.advance(SECOND);
    assert_eq!(world.in_flight.len(), 32);
}

#[test]
fn a_lane_has_no_more_attempts_in_flight_than_its_endpoint_set() {
    let (mut world, endpoint) = world(Mode::Good(50));
    world.configure(endpoint, |settings| {
        settings.concurrency = NonZeroU16::new(3)
    });
    for _ in 0..100 {
        world.send(&[endpoint], 10, false);
    }
    world.advance(SECOND / 2);
    assert_eq!(world.in_flight.len(), 3);
}

#[test]
fn a_rate_is_kept_within_a_tenth_and_takes_no_slot() {
    let (mut world, endpoint) = world(Mode::Good(5));
    world.set_rate(endpoint, 20);
    for _ in 0..1000 {
        world.send(&[endpoint], 10, false);
    }
    world.advance(SECOND / 10);
    assert_eq!(world.engine.snapshot().waiting_for_rate, 1);
    world.advance(SECOND * 10);
    assert!(
        (180..=220).contains(&world.arrived.len()),
        "{}",
        world.arrived.len()
    );
}

#[test]
fn the_lanes_of_an_application_share_its_rate() {
    let mut world = World::new(Settings::default(), 1);
    world.audit_rarely();
    let lanes: Vec<_> = (1..=5)
        .map(|n| world.add_endpoint(n, 7, Mode::Good(5)))
        .collect();
    world.set_app_rate(7, 50);
    for _ in 0..1000 {
        world.send(&lanes, 10, false);
    }
    world.advance(SECOND * 10);
    assert!(
        (450..=550).contains(&world.arrived.len()),
        "{}",
        world.arrived.len()
    );
    for lane in lanes {
        let of_lane = world
            .arrived
            .iter()
            .filter(|key| key.endpoint == lane)
            .count();
        assert!((85..=115).contains(&of_lane), "{of_lane}");
    }
}

#[test]
fn the_breaker_probes_uses_up_no_attempts_and_releases_in_order() {
    let (mut world, endpoint) = world(Mode::Fails);
    for _ in 0..500 {
        world.send(&[endpoint], 10, false);
    }
    world.advance(SECOND * 3600);
    assert_eq!(
        world.engine.lane_view(endpoint).unwrap().state,
        LaneState::Broken
    );
    let untried = |known: &&Known| matches!(known, Known::Fresh | Known::Row { attempts: 0, .. });
    // Ten failures opened it; all others have been waiting since, whatever the probes met.
    assert!(world.deliveries.values().filter(untried).count() >= 480);
    assert!(world.starts < 60, "{} tries in an hour", world.starts);
    world.endpoints.get_mut(&endpoint).unwrap().mode = Mode::Good(5);
    world.advance(SECOND * 400);
    assert!(world.is_done());
    assert_eq!(world.arrived.len(), 500);
    // Those that were tried before it opened come when their retries are due.
    let mut waited = arrived(&world);
    waited.retain(|message| *message > 20);
    assert_eq!(disorder(&waited), 0, "{waited:?}");
}

#[test]
fn a_manual_resend_probes_at_once() {
    let (mut world, endpoint) = world(Mode::Fails);
    for _ in 0..30 {
        world.send(&[endpoint], 10, false);
    }
    world.advance(SECOND * 1000);
    let starts = world.starts;
    world.advance(SECOND);
    assert_eq!(world.starts, starts);
    let target = world.endpoints[&endpoint].target.clone();
    let due = world.now;
    world.tell(Input::Stored {
        target,
        due,
        manual: true,
    });
    world.advance(SECOND);
    assert_eq!(world.starts, starts + 1);
}

#[test]
fn an_endpoint_that_asks_to_wait_is_left_alone() {
    let (mut world, endpoint) = world(Mode::Asks(120, true));
    world.send(&[endpoint], 10, false);
    world.advance(SECOND);
    world.endpoints.get_mut(&endpoint).unwrap().mode = Mode::Good(5);
    for _ in 0..50 {
        world.send(&[endpoint], 10, false);
    }
    world.advance(SECOND * 118);
    assert_eq!((world.starts, world.engine.snapshot().held), (1, 1));
    world.advance(SECOND * 30);
    assert_eq!(world.arrived.len(), 51);
}

#[test]
fn an_endpoint_that_is_gone_is_disabled_and_resumes_when_enabled() {
    let (mut world, endpoint) = world(Mode::Gone);
    for _ in 0..50 {
        world.send(&[endpoint], 10, false);
    }
    world.advance(SECOND * 100);
    assert!(world.endpoints[&endpoint].target.settings.disabled);
    assert!(world.starts <= 10);
    assert_eq!(world.engine.snapshot().deliveries, 0);
    for _ in 0..50 {
        world.send(&[endpoint], 10, false);
    }
    world.advance(SECOND * 100);
    assert_eq!(world.arrived.len(), 0);
    world.endpoints.get_mut(&endpoint).unwrap().mode = Mode::Good(5);
    world.configure(endpoint, |settings| settings.disabled = false);
    world.advance(SECOND * 5);
    assert_eq!(world.arrived.len(), 100);
}

#[test]
fn five_days_of_failure_disable_an_endpoint_after_three_warnings() {
    let (mut world, endpoint) = world(Mode::Fails);
    world.keep_log = true;
    for _ in 0..125 {
        world.send(&[endpoint], 10, false);
        world.advance(SECOND * 3600);
    }
    assert!(world.endpoints[&endpoint].target.settings.disabled);
    let said = |what: &str| world.log.iter().filter(|line| line.contains(what)).count();
    assert_eq!(
        (said("Warn {"), said("Disable {"), said("reason: Failing")),
        (3, 1, 1)
    );
    // At most one a minute, and what is said beside it.
    assert!(said("Health {") <= 120 * 60 + 5);
}

#[test]
fn a_backlog_stays_within_memory_and_arrives_in_order() {
    let memory = MemorySettings {
        deliveries: 2000,
        lane_deliveries: 200,
        ..MemorySettings::default()
    };
    let mut world = World::new(
        Settings {
            memory,
            ..Settings::default()
        },
        1,
    );
    let endpoint = world.add_endpoint(1, 1, Mode::Good(5));
    world.audit_rarely();
    let mut most = 0;
    for n in 0..20_000_u64 {
        // It is slow in the middle.
        let slow = (5000..10_000).contains(&n);
        world.endpoints.get_mut(&endpoint).unwrap().mode = Mode::Good(if slow { 80 } else { 5 });
        world.send(&[endpoint], 10, false);
        world.advance(SECOND / 2000);
        most = most.max(world.engine.snapshot().deliveries);
    }
    world.advance(SECOND * 60);
    assert_eq!(world.arrived.len(), 20_000);
    assert!(most <= 600, "{most}");
    assert!(world.reads > 10);
    assert_eq!(disorder(&world.started), 0);
    // It has returned to memory: nothing is read any more.
    let reads = world.reads;
    for _ in 0..100 {
        world.send(&[endpoint], 10, false);
        world.advance(SECOND / 1000);
    }
    assert_eq!(world.reads, reads);
}

#[test]
fn a_steady_flow_does_not_keep_a_lane_behind_for_ever() {
    let (mut world, endpoint) = world(Mode::Good(1));
    world.send(&[endpoint], 10, false);
    world.advance(SECOND);
    let target = world.endpoints[&endpoint].target.clone();
    let due = world.now;
    world.tell(Input::Stored {
        target,
        due,
        manual: false,
    });
    // There is always a commit under way.
    for _ in 0..2000 {
        world.send(&[endpoint], 10, false);
        world.advance(SECOND / 5000);
    }
    assert!(!world.engine.lane_view(endpoint).unwrap().behind);
    let reads = world.reads;
    for _ in 0..2000 {
        world.send(&[endpoint], 10, false);
        world.advance(SECOND / 5000);
    }
    assert_eq!(world.reads, reads);
}

#[test]
fn dead_endpoints_leave_memory_to_others() {
    let memory = MemorySettings {
        deliveries: 4000,
        ..MemorySettings::default()
    };
    let mut world = World::new(
        Settings {
            memory,
            ..Settings::default()
        },
        1,
    );
    world.audit_rarely();
    let dead: Vec<_> = (1..=500)
        .map(|n| world.add_endpoint(n, 1, Mode::Fails))
        .collect();
    for _ in 0..40 {
        world.send(&dead, 10, false);
        world.advance(SECOND * 10);
    }
    let held = world.engine.snapshot().deliveries;
    assert!(held <= 2000, "{held}");
    let reads = world.reads;
    let good = world.add_endpoint(501, 1, Mode::Good(5));
    for _ in 0..100 {
        world.send(&[good], 10, false);
    }
    world.advance(SECOND);
    assert_eq!(world.arrived.len(), 100);
    assert!(world.reads - reads < 200);
}

#[test]
fn a_deleted_endpoint_gets_nothing_more_and_its_attempts_end_as_cancelled() {
    let (mut world, endpoint) = world(Mode::Good(500));
    for _ in 0..50 {
        world.send(&[endpoint], 10, false);
    }
    world.advance(SECOND / 10);
    assert_eq!(world.starts, 10);
    world.remove(endpoint);
    world.advance(SECOND * 5);
    assert_eq!(world.starts, 10);
    assert!(world.is_done());
    assert_eq!(world.engine.lane_count(), 0);
}

#[test]
fn a_page_that_was_read_too_early_repeats_nothing() {
    let (mut world, endpoint) = world(Mode::Good(1));
    // Many crashes leave many rows; pages and commits overlap as they like.
    for seed in 0..20 {
        for _ in 0..200 {
            world.send(&[endpoint], 10, false);
        }
        world.advance(SECOND / 50);
        world.crash(seed);
    }
    world.advance(SECOND * 60);
    assert!(world.is_done());
}

#[test]
fn an_unknown_delivery_that_finishes_changes_nothing() {
    let (mut world, endpoint) = world(Mode::Good(1));
    let delivery = ringbolt_model::DeliveryKey {
        message: MessageId::from(9),
        endpoint,
    };
    let mut out: Vec<Action> = Vec::new();
    let verdict = crate::Verdict::success(SECOND);
    let decision = world.engine.finished(START, delivery, verdict, &mut out);
    assert_eq!((decision.change, out.len()), (crate::Change::Cancelled, 0));
}

#[test]
fn a_pause_of_the_driver_is_survived() {
    let (mut world, endpoint) = world(Mode::Fails);
    world.send(&[endpoint], 10, false);
    world.advance(SECOND);
    // Nobody wakes the engine for a day; then everything is due at once.
    world.now = world.now + SECOND * 86_400;
    world.endpoints.get_mut(&endpoint).unwrap().mode = Mode::Good(1);
    world.advance(SECOND * 10);
    assert!(world.is_done());
    let target: &Target = &world.endpoints[&endpoint].target;
    assert!(
        world.engine.lane_view(target.endpoint).unwrap().next_due < Some(Timestamp::FAR_FUTURE)
    );
}
