//! Worlds of outages, crashes and clock jumps, each from a seed.
//!
//! `RINGBOLT_TEST_SEEDS` says how many seeds are tried; `RINGBOLT_TEST_SEED` runs one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ringbolt_testkit::simulator::{Failure, Report, run};

/// How many worlds are lived through unless something else is asked for.
const SEEDS: u64 = 48;
/// One in so many is lived through twice.
const TWICE: u64 = 6;

#[test]
fn the_simulator_finds_every_promise_kept_in_every_world() {
    if let Some(seed) = number("RINGBOLT_TEST_SEED") {
        let report = run(seed).unwrap_or_else(|failure| fail(&failure));
        assert_eq!(Ok(report), run(seed), "two runs of seed {seed} differ");
        return;
    }
    let seeds = number("RINGBOLT_TEST_SEEDS").unwrap_or(SEEDS);
    let (next, tries, failures) = (AtomicU64::new(1), AtomicU64::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(seed) = Some(next.fetch_add(1, Relaxed)).filter(|seed| *seed <= seeds) {
            match live(seed) {
                Ok(report) => drop(tries.fetch_add(report.tries, Relaxed)),
                Err(failure) => {
                    eprintln!("seed {seed} fails: {}", failure.what);
                    failures.lock().unwrap().push(failure);
                }
            }
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    let failures = failures.into_inner().unwrap();
    if let Some(failure) = failures.iter().min_by_key(|failure| failure.seed) {
        fail(failure);
    }
    assert!(
        tries.into_inner() > 100 * seeds,
        "not much happened in these worlds"
    );
}

fn live(seed: u64) -> Result<Report, Box<Failure>> {
    let report = run(seed)?;
    println!("seed {seed}: {report:?}");
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
