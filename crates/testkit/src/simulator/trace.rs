//! The log of what happened: hashed, so that two runs can be compared; kept, so that a failure can be
//! looked into.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ringbolt_model::Timestamp;

/// How many of the last lines a failure shows, and how many of those that name what it is about.
const SHOWN: usize = 60;

/// What happened, line by line.
#[derive(Debug, Default)]
pub(super) struct Trace {
    lines: Vec<Line>,
    hash: u64,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    at: Timestamp,
    what: &'static str,
    about: [u64; 2],
    detail: i64,
}

impl Trace {
    pub(super) fn note(&mut self, at: Timestamp, what: &'static str, about: [u64; 2], detail: i64) {
        let line = Line {
            at,
            what,
            about,
            detail,
        };
        for byte in what.bytes() {
            self.mix(u64::from(byte));
        }
        for number in [at.as_micros() as u64, about[0], about[1], detail as u64] {
            self.mix(number);
        }
        self.lines.push(line);
    }

    fn mix(&mut self, number: u64) {
        self.hash = (self.hash.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    /// How often each kind of thing happened.
    pub(super) fn kinds(&self) -> BTreeMap<&'static str, u64> {
        let mut kinds = BTreeMap::new();
        for line in &self.lines {
            *kinds.entry(line.what).or_default() += 1;
        }
        kinds
    }

    /// The last lines, and before them the last that name all of `about`.
    pub(super) fn tail(&self, about: &[u64]) -> String {
        let mut text = String::new();
        let concerned = |line: &&Line| about.iter().all(|id| line.about.contains(id));
        let mut named: Vec<_> = self
            .lines
            .iter()
            .rev()
            .filter(concerned)
            .take(SHOWN)
            .collect();
        named.reverse();
        if !about.is_empty() {
            text.push_str("what it is about:\n");
            named.iter().for_each(|line| line.write(&mut text));
        }
        text.push_str("the last that happened:\n");
        let from = self.lines.len().saturating_sub(SHOWN);
        self.lines[from..]
            .iter()
            .for_each(|line| line.write(&mut text));
        text
    }
}

impl Line {
    fn write(&self, text: &mut String) {
        let Self {
            at,
            what,
            about: [first, second],
            detail,
        } = self;
        let _infallible = writeln!(text, "{at} {what} {first:x} {second:x} {detail}");
    }
}
