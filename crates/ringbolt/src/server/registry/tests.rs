//! Who makes room, and whose time is over.

use std::task::Waker;

use super::super::activity::PACE;
use super::*;

fn registry(connections: usize) -> Arc<Registry> {
    let (head, body) = (Duration::from_secs(10), Duration::from_secs(30));
    let limits = Limits {
        connections,
        head,
        body,
        idle: Duration::from_secs(75),
        answer: Duration::from_secs(60),
        unread: 12_000,
    };
    Arc::new(Registry::new(limits))
}

fn order(place: &Place) -> Order {
    place.activity.order(Waker::noop())
}

#[tokio::test]
async fn the_longest_idle_connection_makes_room() {
    let registry = registry(2);
    let first = registry.admit().unwrap();
    registry.close_overdue(5);
    let second = registry.admit().unwrap();
    let _third = registry.admit().unwrap();
    assert_eq!(
        (order(&first), order(&second)),
        (Order::Close, Order::Serve)
    );
}

#[tokio::test]
async fn for_want_of_files_the_longest_idle_connection_leaves_though_there_are_places() {
    let registry = registry(5);
    let idle = registry.admit().unwrap();
    let busy = registry.admit().unwrap();
    busy.activity.request_began();
    assert!(registry.make_place() && !registry.make_place());
    assert_eq!((order(&idle), order(&busy)), (Order::Close, Order::Serve));
    assert!(registry.first_failed_this_second() && !registry.first_failed_this_second());
}

#[tokio::test]
async fn nobody_makes_room_while_all_are_busy() {
    let registry = registry(1);
    let place = registry.admit().unwrap();
    place.activity.request_began();
    assert!(registry.admit().is_none());
    place.activity.request_ended();
    assert!(registry.admit().is_some());
    assert_eq!(order(&place), Order::Close);
}

#[tokio::test]
async fn whoever_keeps_us_waiting_for_a_body_makes_room_and_a_whole_request_does_not() {
    let registry = registry(3);
    let whole = registry.admit().unwrap();
    whole.activity.request_began();
    registry.close_overdue(1);
    let [first, second] = [5, 6].map(|now| {
        let place = registry.admit().unwrap();
        place.activity.read();
        place.activity.request_began();
        place.activity.body_awaited();
        registry.close_overdue(now);
        place
    });
    let orders = || [&whole, &first, &second].map(order);
    let third = registry.admit().unwrap();
    assert_eq!(orders(), [Order::Serve, Order::Close, Order::Serve]);
    third.activity.request_began();
    second.activity.body_went_on();
    assert!(registry.admit().is_none(), "the body has arrived");
    second.activity.body_awaited();
    assert!(registry.admit().is_some());
    assert_eq!(orders(), [Order::Serve, Order::Close, Order::Close]);
}

#[tokio::test]
async fn a_head_that_drips_ends_sooner_than_silence() {
    let registry = registry(9);
    let (silent, dripping, busy) = (
        registry.admit().unwrap(),
        registry.admit().unwrap(),
        registry.admit().unwrap(),
    );
    dripping.activity.read();
    busy.activity.request_began();
    for second in 1..=11 {
        registry.close_overdue(second);
        dripping.activity.read();
    }
    assert_eq!(order(&dripping), Order::Late);
    assert_eq!(order(&silent), Order::Serve);
    registry.close_overdue(76);
    assert_eq!(order(&silent), Order::Close);
    registry.close_overdue(100_000);
    assert_eq!(order(&busy), Order::Serve);
}

#[tokio::test]
async fn whoever_takes_nothing_makes_room_for_the_answers_of_others() {
    let registry = registry(9);
    let (stuck, reading) = (registry.admit().unwrap(), registry.admit().unwrap());
    let _stuck = registry.hold(&stuck.activity, 6_000);
    let reads = registry.hold(&reading.activity, 3_000);
    assert!(
        !registry.hold(&reading.activity, 4_000).1,
        "nobody has held more for longer"
    );
    registry.close_overdue(4);
    reading.activity.wrote(PACE);
    assert!(registry.hold(&reading.activity, 4_000).1);
    assert_eq!(
        (order(&stuck), order(&reading)),
        (Order::Close, Order::Serve)
    );
    drop(reads);
}

#[tokio::test]
async fn a_trickle_is_no_protection() {
    let registry = registry(9);
    let [trickling, taking, asking] = [(); 3].map(|()| registry.admit().unwrap());
    let _held = [&trickling, &taking].map(|one| registry.hold(&one.activity, 4_900));
    for second in 1..=4 {
        registry.close_overdue(second);
        trickling.activity.wrote(PACE / 8);
        taking.activity.wrote(PACE);
    }
    assert!(registry.hold(&asking.activity, 1_000).1);
    assert_eq!(
        [&trickling, &taking, &asking].map(order),
        [Order::Close, Order::Serve, Order::Serve]
    );
}

#[tokio::test]
async fn the_token_that_holds_most_makes_room_and_no_more_than_is_needed() {
    let registry = registry(9);
    let many = [(); 4].map(|()| registry.admit().unwrap());
    let (one, asking) = (registry.admit().unwrap(), registry.admit().unwrap());
    one.activity.asked_by(1);
    asking.activity.asked_by(2);
    // Each answer holds 1,024 bytes beside its body.
    let _many = many.each_ref().map(|place| {
        place.activity.asked_by(3);
        registry.hold(&place.activity, 976)
    });
    let _one = registry.hold(&one.activity, 2_976);
    let ended = || {
        let ended = many.iter().filter(|place| order(place) == Order::Close);
        ended.count()
    };
    assert_eq!(ended(), 0);
    let (_first, fits) = registry.hold(&asking.activity, 976);
    assert_eq!((ended(), fits), (1, true));
    let (_second, fits) = registry.hold(&asking.activity, 976);
    assert_eq!((ended(), fits), (2, true));
    let (_third, fits) = registry.hold(&asking.activity, 976);
    assert_eq!((ended(), fits), (2, false), "now it holds most itself");
    assert_eq!([&one, &asking].map(order), [Order::Serve, Order::Serve]);
}

#[tokio::test]
async fn whoever_waits_for_room_goes_on_once_it_is_there() {
    let registry = registry(9);
    let (holding, asking) = (registry.admit().unwrap(), registry.admit().unwrap());
    let held = registry.hold(&holding.activity, 20_000);
    let mut waiting = pin!(registry.has_room(&asking.activity, false));
    let mut context = std::task::Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    assert_eq!(order(&holding), Order::Close);
    drop(held);
    assert!(waiting.await);
}

#[tokio::test]
async fn an_answer_that_was_long_in_the_making_is_not_held_against_its_client() {
    let registry = registry(9);
    let (stuck, waiting) = (registry.admit().unwrap(), registry.admit().unwrap());
    waiting.activity.read();
    waiting.activity.request_began();
    registry.close_overdue(8);
    let _stuck = registry.hold(&stuck.activity, 9_000);
    assert!(!registry.hold(&waiting.activity, 9_000).1);
    assert_eq!(
        (order(&stuck), order(&waiting)),
        (Order::Serve, Order::Serve)
    );
}

#[tokio::test]
async fn an_answer_that_is_taken_too_slowly_ends_its_connection() {
    let registry = registry(9);
    let (slow, busy) = (registry.admit().unwrap(), registry.admit().unwrap());
    let _answer = registry.hold(&slow.activity, 100);
    let mut others = None;
    for second in 1..=121 {
        registry.close_overdue(second);
        // Bytes move all the time.
        slow.activity.wrote(1);
        busy.activity.wrote(1);
        others.replace(registry.hold(&busy.activity, 100));
        assert!(second > 60 || order(&slow) == Order::Serve, "{second}");
    }
    assert_eq!((order(&slow), order(&busy)), (Order::Close, Order::Serve));
}

#[tokio::test]
async fn whoever_comes_during_the_end_is_told_so() {
    let registry = registry(9);
    let early = registry.admit().unwrap();
    registry.finish_all();
    let late = registry.admit().unwrap();
    assert_eq!(
        (order(&early), order(&late)),
        (Order::Finish, Order::Finish)
    );
    drop((early, late));
    assert!(registry.connected.lock().all.is_empty());
}
