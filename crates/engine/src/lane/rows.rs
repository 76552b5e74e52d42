//! A lane's rows in the store: when to read them, and what to make of a page.

use std::collections::VecDeque;
use std::time::Duration;

use ringbolt_model::{MessageId, Timestamp};

use crate::hash::IdSet;
use crate::memory::Held;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A row that was not believed is looked at again this long after its decision has been recorded.
const SECOND_LOOK: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where new deliveries of a lane go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Intake {
    /// Into memory: no row waits that is older.
    #[default]
    Memory,
    /// Into the store: rows wait that have not been read.
    Behind,
    /// Into memory, after the last rows: those are being committed, or read.
    Joining,
}

/// What a lane knows about its rows.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) intake: Intake,
    /// When the earliest row is due that has not been read. Says nothing about rows that a page
    /// being read may bring.
    pub(crate) due: Option<Timestamp>,
    /// Rows that are being committed, or will be: of refused deliveries.
    pub(crate) refused: usize,
    /// Spills that have not been answered.
    pub(crate) spilling: usize,
    /// What the page being read may bring at most.
    pub(crate) reading: Option<Held>,
    /// Whether it stands in line for a page.
    pub(crate) in_line: bool,
    /// Decisions that are not in the store yet, or that a page being read may not show yet.
    unrecorded: VecDeque<Unrecorded>,
    pause: Option<Duration>,
    not_before: Option<Timestamp>,
}

#[derive(Debug)]
struct Unrecorded {
    message: MessageId,
    /// When the row is due from then on, if ever.
    due: Option<Timestamp>,
    recorded: bool,
    /// A page had its row: the old one, or one that somebody has asked for since.
    seen: bool,
}

impl Rows {
    /// A row is due at that time, or earlier than thought.
    pub(crate) fn add(&mut self, due: Timestamp) {
        self.due = Some(self.due.map_or(due, |known| known.min(due)));
    }

    /// Rows wait that come before anything new.
    pub(crate) fn fall_behind(&mut self, now: Timestamp) {
        self.add(now);
        self.intake = Intake::Behind;
    }

    /// Whether rows are due that nobody is reading.
    pub(crate) fn are_due(&self, now: Timestamp) -> bool {
        self.reading.is_none() && self.due.is_some_and(|due| due <= now)
    }

    /// Whether a page may be asked for.
    pub(crate) fn can_be_read(&self, now: Timestamp) -> bool {
        self.are_due(now) && self.not_before.is_none_or(|at| at <= now)
    }

    /// When a page may be asked for, as far as is known.
    pub(crate) fn next_read(&self) -> Option<Timestamp> {
        let due = self.due.filter(|_| self.reading.is_none())?;
        Some(self.not_before.map_or(due, |at| at.max(due)))
    }

    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_settled() && self.unrecorded.is_empty()
    }

    /// Whether no answer is outstanding.
    pub(crate) const fn is_settled(&self) -> bool {
        self.refused == 0 && self.spilling == 0 && self.reading.is_none()
    }

    /// Returns to memory if no row waits or is on its way; returns whether the way is free.
    pub(crate) fn settle(&mut self, now: Timestamp) -> bool {
        if self.is_settled() && self.due.is_none_or(|due| due > now) {
            self.intake = Intake::Memory;
        }
        self.intake == Intake::Memory
    }

    /// A page is being read.
    pub(crate) fn read(&mut self, page: Held) {
        self.due = None;
        self.reading = Some(page);
    }

    /// A page could not be read.
    pub(crate) fn read_failed(&mut self, now: Timestamp) -> Option<Held> {
        let page = self.reading.take()?;
        self.forget_recorded(now);
        self.add(now);
        self.wait(now);
        Some(page)
    }

    /// A page was read. Rows that became known meanwhile count besides it.
    pub(crate) fn was_read(&mut self, now: Timestamp, next_due: Option<Timestamp>, more: bool) {
        self.forget_recorded(now);
        if let Some(due) = next_due {
            self.add(due);
        }
        if more {
            self.fall_behind(now);
        } else if self.intake == Intake::Behind {
            self.intake = Intake::Joining;
        }
    }

    /// The page had rows, but each was known: the store lags behind; give it time.
    pub(crate) fn wait(&mut self, now: Timestamp) {
        let pause = self
            .pause
            .map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        self.not_before = Some(now + pause);
    }

    /// The page brought something.
    pub(crate) const fn go_on(&mut self) {
        self.pause = None;
        self.not_before = None;
    }

    /// A decision is to be written.
    pub(crate) fn decided(&mut self, message: MessageId, due: Option<Timestamp>) {
        self.unrecorded.push_back(Unrecorded {
            message,
            due,
            recorded: false,
            seen: false,
        });
    }

    /// A decision is in the store. A page that is being read may still show the old row.
    pub(crate) fn recorded(&mut self, now: Timestamp, message: MessageId) {
        let mut open = self.unrecorded.iter_mut();
        let Some(place) = open.position(|one| one.message == message && !one.recorded) else {
            return;
        };
        let Unrecorded { due, seen, .. } = self.unrecorded[place];
        if self.reading.is_some() {
            self.unrecorded[place].recorded = true;
        } else {
            self.unrecorded.remove(place);
        }
        if let Some(due) = due.or_else(|| seen.then_some(now + SECOND_LOOK)) {
            self.add(due);
        }
    }

    /// Messages whose rows must not be believed.
    pub(crate) fn disbelieved(&self) -> impl Iterator<Item = MessageId> {
        self.unrecorded.iter().map(|one| one.message)
    }

    /// A page had rows of which some must not be believed.
    pub(crate) fn saw(&mut self, messages: &IdSet<MessageId>) {
        for one in &mut self.unrecorded {
            one.seen |= messages.contains(&one.message);
        }
    }

    fn forget_recorded(&mut self, now: Timestamp) {
        let again = self.unrecorded.iter().any(|one| one.recorded && one.seen);
        self.unrecorded.retain(|one| !one.recorded);
        if again {
            self.add(now + SECOND_LOOK);
        }
    }
}
