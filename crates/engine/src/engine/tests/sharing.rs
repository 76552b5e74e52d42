//! What one endpoint does never delays another, and costs the same beside many others.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::{AppId, EndpointId, MessageId};

use super::world::{Mode, World};
use crate::{Admission, Input, Settings, Target};

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
    assert_eq!(world.engine.snapshot().in_flight, 768);
    for _ in 0..1000 {
        let message = world.send(&[good], 10, false);
        world.advance(Duration::from_millis(20));
        let last = world.arrived.last().unwrap();
        assert_eq!((last.message, last.endpoint), (message, good));
    }
    assert!(world.engine.snapshot().in_flight <= 768);
}

#[test]
fn an_unknown_endpoint_passes_those_that_hang() {
    let mut world = World::new(Settings::default(), 1);
    world.audit_rarely();
    let hanging: Vec<EndpointId> = (2..2002)
        .map(|n| world.add_endpoint(n, 1, Mode::Hangs))
        .collect();
    world.send(&hanging, 10, false);
    world.send(&hanging, 10, false);
    // All have been tried once: 768 at a time, for 15 s each.
    world.advance(Duration::from_secs(46));
    let unknown = world.add_endpoint(1, 1, Mode::Good(5));
    world.send(&[unknown], 10, false);
    world.advance(Duration::from_secs(15));
    assert_eq!(world.arrived.len(), 1);
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
