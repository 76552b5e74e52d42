//! Worlds of outages, crashes and clock jumps, each from a seed.
//!
//! `RINGBOLT_TEST_SEEDS` says how many seeds are tried; `RINGBOLT_TEST_SEED` runs one.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ringbolt_testkit::simulator::{Failure, Report, run};

/// How many worlds are lived through unless something else is asked for.
const SEEDS: u64 = 36;
/// One in so many is lived through twice.
const TWICE: u64 = 6;
/// What worlds must have seen, all together: otherwise they have become too tame.
const KINDS: &[&str] = &[
    "start",
    "probe",
    "finish",
    "slow",
    "time-out",
    "asked to wait",
    "load",
    "spill",
    "disable",
    "warn",
    "refused",
    "crash",
    "resend",
    "recover",
    "expired",
    "expunge",
    "delete",
    "delete app",
    "jump",
];

#[test]
fn the_simulator_finds_every_promise_kept_in_every_world() {
    if let Some(seed) = number("RINGBOLT_TEST_SEED") {
        let report = run(seed).unwrap_or_else(|failure| fail(&failure));
        assert_eq!(Ok(report), run(seed), "two runs of seed {seed} differ");
        return;
    }
    let seeds = number("RINGBOLT_TEST_SEEDS").unwrap_or(SEEDS);
    let (next, lived) = (AtomicU64::new(1), Mutex::new(Vec::new()));
    let work = || {
        while let Some(seed) = Some(next.fetch_add(1, Relaxed)).filter(|seed| *seed <= seeds) {
            let report = live(seed);
            if let Err(failure) = &report {
                eprintln!("seed {seed} fails: {}", failure.what);
            }
            lived.lock().unwrap().push(report);
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    let (mut seen, mut failures) = (BTreeMap::new(), Vec::new());
    for report in lived.into_inner().unwrap() {
        match report {
            Ok(report) => add(&mut seen, report.kinds),
            Err(failure) => failures.push(failure),
        }
    }
    if let Some(failure) = failures.iter().min_by_key(|failure| failure.seed) {
        fail(failure);
    }
    println!("{seen:#?}");
    if seeds >= SEEDS {
        let unseen = KINDS.iter().filter(|kind| !seen.contains_key(*kind));
        let unseen: Vec<_> = unseen.collect();
        assert!(unseen.is_empty(), "no world has seen these: {unseen:?}");
    }
}

fn add(seen: &mut BTreeMap<&'static str, u64>, kinds: BTreeMap<&'static str, u64>) {
    for (kind, count) in kinds {
        *seen.entry(kind).or_default() += count;
    }
}

fn live(seed: u64) -> Result<Report, Box<Failure>> {
    let report = run(seed)?;
    if seed.is_multiple_of(TWICE) {
        assert_eq!(report, run(seed)?, "two runs of seed {seed} differ");
    }
    Ok(report)
}

fn fail(failure: &Failure) -> ! {
    panic!(
        "{failure}\nto run it again:\nRINGBOLT_TEST_SEED={} cargo nextest run -p ringbolt-testkit simulator",
        failure.seed
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by the environment which seeds to run"
)]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("seeds are numbers"))
}
