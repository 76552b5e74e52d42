//! Whose turn it is, at a given moment.

use super::Standing::{Failing, Hanging, New, Trusted, Wavering};
use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1000);
const LONGEST: Duration = Duration::from_secs(16);

fn turns(share: &mut Share, n: usize) -> Vec<u32> {
    (0..n).map_while(|_| share.take_turn(NOW)).collect()
}

/// Lets as many start as may.
fn fill(share: &mut Share, now: Timestamp) -> Vec<u32> {
    let mut started = Vec::new();
    while let Some(lane) = share.take_turn(now) {
        share.started(lane, false, now);
        started.push(lane);
    }
    started
}

#[test]
fn everybody_gets_one_before_anybody_gets_a_second() {
    let mut share = Share::new(100, LONGEST);
    for lane in 0..5 {
        share.enlist(lane, if lane % 2 == 0 { Trusted } else { New }, 0);
    }
    share.enlist(5, Trusted, 1);
    share.enlist(6, Trusted, 0);
    assert_eq!(turns(&mut share, 9), [0, 1, 2, 3, 4, 6, 5]);
}

#[test]
fn a_lane_keeps_its_place_until_something_changes() {
    let mut share = Share::new(100, LONGEST);
    (1..=3).for_each(|lane| share.enlist(lane, Trusted, 0));
    share.enlist(1, Trusted, 0);
    share.delist(2);
    share.enlist(2, Trusted, 0);
    assert_eq!(turns(&mut share, 9), [1, 3, 2]);
}

#[test]
fn a_lane_that_hangs_lets_an_untested_one_pass() {
    let mut share = Share::new(100, LONGEST);
    share.enlist(1, Hanging, 0);
    share.enlist(2, New, 0);
    share.enlist(3, New, 1);
    assert_eq!(turns(&mut share, 9), [2, 1, 3]);
}

#[test]
fn lanes_that_hang_have_half_and_untested_ones_an_eighth_more() {
    let mut share = Share::new(64, LONGEST);
    (0..100).for_each(|lane| share.enlist(lane, Hanging, 0));
    assert_eq!(fill(&mut share, NOW).len(), 32);
    (100..200).for_each(|lane| share.enlist(lane, New, 1));
    assert_eq!(fill(&mut share, NOW), Vec::from_iter(100..108));
}

#[test]
fn lanes_that_waver_have_an_eighth_beyond_that_and_the_pace_if_no_newcomer_waits() {
    let mut share = Share::new(64, LONGEST);
    (0..100).for_each(|lane| share.enlist(lane, Hanging, 0));
    (100..200).for_each(|lane| share.enlist(lane, Wavering, 1));
    assert_eq!(fill(&mut share, NOW).len(), 48);
    (200..202).for_each(|lane| share.enlist(lane, Wavering, 0));
    share.enlist(202, New, 0);
    assert_eq!(fill(&mut share, NOW), [202]);
    assert_eq!(fill(&mut share, NOW + LONGEST / 8), [201]);
}

#[test]
fn newcomers_have_an_eighth_at_a_pace_the_latest_first() {
    let mut share = Share::new(64, LONGEST);
    (0..100).for_each(|lane| share.enlist(lane, New, 0));
    // Five eighths, the longest waiting first, and one beyond them.
    let mut expected = Vec::from_iter(0..40);
    expected.push(99);
    assert_eq!(fill(&mut share, NOW), expected);
    let beat = NOW + LONGEST / 8;
    assert_eq!(share.next_wake(), Some(beat));
    share.enlist(200, New, 0);
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
    (0..41).for_each(|lane| share.enlist(lane, New, 0));
    assert_eq!(fill(&mut share, NOW).len(), 41);
    share.enlist(50, New, 0);
    (60..62).for_each(|lane| share.enlist(lane, Failing, 0));
    let at = |beats| NOW + LONGEST / 8 * beats;
    assert_eq!(fill(&mut share, at(1)), [50]);
    assert_eq!(fill(&mut share, at(2)), [60]);
    share.enlist(51, New, 0);
    assert_eq!(fill(&mut share, at(3)), [51]);
    assert_eq!(fill(&mut share, at(4)), [61]);
}

#[test]
fn those_that_failed_and_those_that_are_new_take_turns_otherwise() {
    let mut share = Share::new(100, LONGEST);
    share.enlist(1, Failing, 0);
    share.enlist(2, New, 0);
    share.enlist(3, Failing, 0);
    share.enlist(4, New, 1);
    share.enlist(5, Failing, 1);
    assert_eq!(turns(&mut share, 9), [1, 2, 3, 4, 5]);
}

#[test]
fn a_newcomer_that_answers_lets_the_next_one_in() {
    let mut share = Share::new(64, LONGEST);
    (0..100).for_each(|lane| share.enlist(lane, New, 0));
    assert_eq!(fill(&mut share, NOW).last(), Some(&99));
    (0..2).for_each(|_| share.ended(false));
    share.answered(5);
    assert_eq!(fill(&mut share, NOW), [40], "instead of one of the many");
    share.ended(false);
    share.answered(99);
    assert_eq!(fill(&mut share, NOW), [41, 98]);
}

#[test]
fn the_last_eighth_is_for_trusted_lanes_without_anything_in_flight_and_newcomers_at_their_pace() {
    let mut share = Share::new(64, LONGEST);
    let start = |share: &mut Share, standing, in_flight| {
        share.enlist(7, standing, in_flight);
        let turn = share.take_turn(NOW);
        if turn.is_some() {
            share.started(7, standing == Trusted, NOW);
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
    (0..10).for_each(|lane| share.enlist(lane, Hanging, 0));
    assert_eq!(fill(&mut share, NOW).len(), 4);
    (10..20).for_each(|lane| share.enlist(lane, Trusted, 0));
    for lane in 10..14 {
        assert_eq!(share.take_turn(NOW), Some(lane));
        share.started(lane, true, NOW);
    }
    assert_eq!(share.take_turn(NOW), None);
    share.ended(true);
    assert_eq!(share.take_turn(NOW), Some(14));
}
