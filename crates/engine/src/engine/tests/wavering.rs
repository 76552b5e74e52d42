//! A slow answer, a pause or a restart does not put a good endpoint behind those that hang.

use std::time::Duration;

use ringbolt_model::EndpointId;

use super::world::{Mode, World};
use crate::Settings;

/// A good endpoint that has proved itself, beside so many whose attempts all hang, each owed six messages.
fn proved_beside(hanging: u64) -> (World, EndpointId) {
    let mut world = World::new(Settings::default(), 1);
    world.audit_rarely();
    // In the middle of them, where rows are read by the endpoint.
    let good = world.add_endpoint(hanging + 1, 1, Mode::Good(5));
    world.send(&[good], 10, false);
    world.advance(Duration::from_millis(50));
    let hanging: Vec<EndpointId> = (1..=hanging)
        .map(|n| world.add_endpoint(n * 2, 2, Mode::Hangs))
        .collect();
    for _ in 0..6 {
        world.send(&hanging, 10, false);
    }
    world.advance(Duration::from_secs(20));
    (world, good)
}

/// Sends the endpoint two messages a second, each answered after so many milliseconds, if it is.
fn send_for(world: &mut World, endpoint: EndpointId, seconds: u64, mode: Mode) {
    for _ in 0..seconds * 2 {
        world.send(&[endpoint], 10, false);
        world.endpoints.get_mut(&endpoint).unwrap().mode = mode;
        world.advance(Duration::from_millis(500));
    }
}

/// Sends the endpoint two messages a second; fails unless each is answered within a second.
fn all_arrive(world: &mut World, endpoint: EndpointId, seconds: u64) {
    world.endpoints.get_mut(&endpoint).unwrap().mode = Mode::Good(5);
    for n in 0..seconds * 2 {
        let message = world.send(&[endpoint], 10, false);
        world.advance(Duration::from_millis(500));
        let arrived = world.arrived.iter().any(|key| key.message == message);
        assert!(arrived, "{n}: {:?}", world.engine.snapshot());
    }
}

#[test]
fn one_slow_answer_does_not_send_a_good_endpoint_behind_thousands_that_hang() {
    for hanging in [1500, 3000] {
        let (mut world, good) = proved_beside(hanging);
        for slow in [Mode::Good(2500), Mode::Hangs] {
            all_arrive(&mut world, good, 5);
            world.endpoints.get_mut(&good).unwrap().mode = slow;
            world.send(&[good], 10, false);
            world.advance(Duration::from_millis(100));
            all_arrive(&mut world, good, 25);
        }
    }
}

#[test]
fn an_endpoint_that_proved_itself_is_soon_tried_again_after_a_pause() {
    for seconds in [3, 10, 20] {
        let (mut world, good) = proved_beside(3000);
        all_arrive(&mut world, good, 5);
        send_for(&mut world, good, seconds, Mode::Hangs);
        // Its attempts time out, and it is tried again at once.
        send_for(&mut world, good, 17, Mode::Good(5));
        all_arrive(&mut world, good, 10);
    }
}

#[test]
fn after_a_crash_a_good_endpoint_does_not_wait_for_those_that_hung_before() {
    for hanging in [1000, 3000] {
        let (mut world, good) = proved_beside(hanging);
        world.advance(Duration::from_secs(40));
        // One is accepted, and not answered yet.
        let message = world.send(&[good], 10, false);
        world.advance(Duration::from_millis(5));
        world.crash(2);
        world.advance(Duration::from_secs(1));
        let last = world.arrived.last().map(|key| key.message);
        assert_eq!(last, Some(message), "{:?}", world.engine.snapshot());
        all_arrive(&mut world, good, 30);
    }
}

#[test]
fn endpoints_that_proved_themselves_and_hang_do_not_take_every_slot_again() {
    let mut world = World::new(Settings::default(), 1);
    world.audit_rarely();
    let turning: Vec<EndpointId> = (2..1502)
        .map(|n| world.add_endpoint(n, 2, Mode::Good(5)))
        .collect();
    let (first, second) = turning.split_at(750);
    for some in [first, second] {
        world.send(some, 10, false);
        world.advance(Duration::from_millis(200));
    }
    for id in &turning {
        world.endpoints.get_mut(id).unwrap().mode = Mode::Hangs;
    }
    let good = world.add_endpoint(1, 1, Mode::Good(5));
    all_arrive(&mut world, good, 1);
    for _ in 0..6 {
        world.send(&turning, 10, false);
    }
    // The first attempts of all of them take every slot until they time out.
    world.advance(Duration::from_secs(16));
    all_arrive(&mut world, good, 120);
}

#[test]
fn an_endpoint_that_is_always_slow_does_not_wait_behind_the_thousands_of_another_application() {
    let mut world = World::new(Settings::default(), 1);
    world.audit_rarely();
    let slow = world.add_endpoint(1, 1, Mode::Good(2000));
    world.send(&[slow], 10, false);
    world.advance(Duration::from_secs(5));
    // They succeed as well, if late, and many of them have never been tried.
    let others: Vec<EndpointId> = (2..=3_000)
        .map(|n| world.add_endpoint(n, 2, Mode::Good(8000)))
        .collect();
    for _ in 0..6 {
        world.send(&others, 10, false);
    }
    // What began with them all at once comes back all at once.
    world.advance(Duration::from_secs(9));
    let mut sent = Vec::new();
    for _ in 0..40 {
        sent.push(world.send(&[slow], 10, false));
        world.advance(Duration::from_millis(500));
    }
    world.advance(Duration::from_millis(2500));
    for message in sent {
        let arrived = world.arrived.iter().any(|key| key.message == message);
        assert!(arrived, "{:?}", world.engine.snapshot());
    }
}
