//! Whose turn it is, at a given moment.

use super::Standing::{Failing, Hanging, New, Trusted, Wavering};
use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1000);
const LONGEST: Duration = Duration::from_secs(16);

fn one() -> AppId {
    AppId::from(1)
}

fn turns(share: &mut Share, n: usize) -> Vec<u32> {
    (0..n).map_while(|_| share.take_turn(NOW)).collect()
}

/// Lets as many start as may.
fn fill(share: &mut Share, now: Timestamp) -> Vec<u32> {
    let mut started = Vec::new();
    while let Some(lane) = share.take_turn(now) {
        share.started(lane, Some(one()), now);
        started.push(lane);
    }
    started
}

#[test]
fn everybody_gets_one_before_anybody_gets_a_second() {
    let mut share = Share::new(100, LONGEST);
    for lane in 0..5 {
        share.enlist(lane, one(), if lane % 2 == 0 { Trusted } else { New }, 0);
    }
    share.enlist(5, one(), Trusted, 1);
    share.enlist(6, one(), Trusted, 0);
    assert_eq!(turns(&mut share, 9), [0, 1, 2, 3, 4, 6, 5]);
}

#[test]
fn a_lane_keeps_its_place_until_something_changes() {
    let mut share = Share::new(100, LONGEST);
    (1..=3).for_each(|lane| share.enlist(lane, one(), Trusted, 0));
    share.enlist(1, one(), Trusted, 0);
    share.delist(2);
    share.enlist(2, one(), Trusted, 0);
    assert_eq!(turns(&mut share, 9), [1, 3, 2]);
}

#[test]
fn a_lane_that_hangs_lets_an_untested_one_pass() {
    let mut share = Share::new(100, LONGEST);
    share.enlist(1, one(), Hanging, 0);
    share.enlist(2, one(), New, 0);
    share.enlist(3, one(), New, 1);
    assert_eq!(turns(&mut share, 9), [2, 1, 3]);
}

#[test]
fn lanes_that_hang_have_half_and_untested_ones_an_eighth_more() {
    let mut share = Share::new(64, LONGEST);
    (0..100).for_each(|lane| share.enlist(lane, one(), Hanging, 0));
    assert_eq!(fill(&mut share, NOW).len(), 32);
    (100..200).for_each(|lane| share.enlist(lane, one(), New, 1));
    assert_eq!(fill(&mut share, NOW), Vec::from_iter(100..108));
}

#[test]
fn lanes_that_waver_have_an_eighth_beyond_that_and_the_pace_if_no_newcomer_waits() {
    let mut share = Share::new(64, LONGEST);
    (0..100).for_each(|lane| share.enlist(lane, one(), Hanging, 0));
    (100..200).for_each(|lane| share.enlist(lane, one(), Wavering, 1));
    assert_eq!(fill(&mut share, NOW).len(), 48);
    (200..202).for_each(|lane| share.enlist(lane, one(), Wavering, 0));
    share.enlist(202, one(), New, 0);
    assert_eq!(fill(&mut share, NOW), [202]);
    assert_eq!(fill(&mut share, NOW + LONGEST / 8), [201]);
}

#[test]
fn newcomers_have_an_eighth_at_a_pace_the_latest_first() {
    let mut share = Share::new(64, LONGEST);
    (0..100).for_each(|lane| share.enlist(lane, one(), New, 0));
    // Five eighths, the longest waiting first, and one beyond them.
    let mut expected = Vec::from_iter(0..40);
    expected.push(99);
    assert_eq!(fill(&mut share, NOW), expected);
    let beat = NOW + LONGEST / 8;
    assert_eq!(share.next_wake(), Some(beat));
    share.enlist(200, one(), New, 0);
    assert_eq!(fill(&mut share, NOW), [], "not before the next beat");
    assert_eq!(fill(&mut share, beat), [200]);
    // Within the longest time that an attempt takes the eighth does not run out.
    let beats = (2..8).map(|n| NOW + LONGEST / 8 * n);
    assert!(beats.clone().all(|at| fill(&mut share, at).len() == 1));
    assert_eq!(share.doubtful_in_flight, 48);
}

#[test]
fn one_that_failed_has_a_beat_only_if_no_newcomer_waits() {
    let mut share = Share::new(64, LONGEST);
    (0..41).for_each(|lane| share.enlist(lane, one(), New, 0));
    assert_eq!(fill(&mut share, NOW).len(), 41);
    share.enlist(50, one(), New, 0);
    (60..62).for_each(|lane| share.enlist(lane, one(), Failing, 0));
    let at = |beats| NOW + LONGEST / 8 * beats;
    assert_eq!(fill(&mut share, at(1)), [50]);
    assert_eq!(fill(&mut share, at(2)), [60]);
    share.enlist(51, one(), New, 0);
    assert_eq!(fill(&mut share, at(3)), [51]);
    assert_eq!(fill(&mut share, at(4)), [61]);
}

#[test]
fn those_that_failed_and_those_that_are_new_take_turns_otherwise() {
    let mut share = Share::new(100, LONGEST);
    share.enlist(1, one(), Failing, 0);
    share.enlist(2, one(), New, 0);
    share.enlist(3, one(), Failing, 0);
    share.enlist(4, one(), New, 1);
    share.enlist(5, one(), Failing, 1);
    assert_eq!(turns(&mut share, 9), [1, 2, 3, 4, 5]);
}

#[test]
fn a_newcomer_that_answers_lets_the_next_one_in() {
    let mut share = Share::new(64, LONGEST);
    (0..100).for_each(|lane| share.enlist(lane, one(), New, 0));
    assert_eq!(fill(&mut share, NOW).last(), Some(&99));
    (0..2).for_each(|_| share.ended(Some(one())));
    share.answered(5);
    assert_eq!(fill(&mut share, NOW), [40], "instead of one of the many");
    share.ended(Some(one()));
    share.answered(99);
    assert_eq!(fill(&mut share, NOW), [41, 98]);
}

#[test]
fn the_last_eighth_is_for_trusted_lanes_without_anything_in_flight_and_newcomers_at_their_pace() {
    let mut share = Share::new(64, LONGEST);
    let start = |share: &mut Share, standing, in_flight| {
        share.enlist(7, one(), standing, in_flight);
        let turn = share.take_turn(NOW);
        if turn.is_some() {
            share.started(7, (standing != Trusted).then(one), NOW);
        }
        share.delist(7);
        turn.is_some()
    };
    assert!((1..57).all(|in_flight| start(&mut share, Trusted, in_flight)));
    assert!(!start(&mut share, Trusted, 1));
    assert!(!start(&mut share, New, 1) && !start(&mut share, Hanging, 0));
    assert!(start(&mut share, Trusted, 0));
    assert!(start(&mut share, New, 0), "at its pace");
    assert!(!start(&mut share, New, 0));
    assert!((2..8).all(|_| start(&mut share, Trusted, 0)));
    assert!(!start(&mut share, Trusted, 0), "all are taken");
}

#[test]
fn trusted_lanes_have_all_that_is_left() {
    let mut share = Share::new(8, LONGEST);
    (0..10).for_each(|lane| share.enlist(lane, one(), Hanging, 0));
    assert_eq!(fill(&mut share, NOW).len(), 4);
    (10..20).for_each(|lane| share.enlist(lane, one(), Trusted, 0));
    for lane in 10..14 {
        assert_eq!(share.take_turn(NOW), Some(lane));
        share.started(lane, None, NOW);
    }
    assert_eq!(share.take_turn(NOW), None);
    share.ended(None);
    assert_eq!(share.take_turn(NOW), Some(14));
}

#[test]
fn an_application_with_few_that_hang_does_not_wait_behind_one_with_thousands() {
    let (mut share, other) = (Share::new(64, LONGEST), AppId::from(2));
    (0..1_000).for_each(|lane| share.enlist(lane, one(), Hanging, 0));
    assert_eq!(fill(&mut share, NOW).len(), 32);
    (1_000..1_003).for_each(|lane| share.enlist(lane, other, Hanging, 0));
    for next in [1_000, 1_001, 1_002, 32] {
        share.ended(Some(one()));
        let lane = share.take_turn(NOW).unwrap();
        assert_eq!(lane, next);
        let app = if lane < 1_000 { one() } else { other };
        share.started(lane, Some(app), NOW);
    }
}

#[test]
fn one_that_hangs_takes_a_slot_that_would_go_to_the_untested_of_one_with_more() {
    let (mut share, other) = (Share::new(64, LONGEST), AppId::from(2));
    // Not the newcomers, which have slots of their own.
    (0..1_000).for_each(|lane| share.enlist(lane, one(), New, 1));
    assert_eq!(fill(&mut share, NOW).len(), 40);
    (1_000..1_003).for_each(|lane| share.enlist(lane, other, Hanging, 1));
    assert_eq!(share.take_turn(NOW), Some(1_000), "it has none in flight");
    share.started(1_000, Some(other), NOW);
    assert_eq!(share.take_turn(NOW), None);
    share.ended(Some(one()));
    for next in [1_001, 1_002] {
        share.ended(Some(one()));
        assert_eq!(share.take_turn(NOW), Some(next));
        share.started(next, Some(other), NOW);
    }
    share.ended(Some(one()));
    assert_eq!(share.take_turn(NOW), Some(40));
}
