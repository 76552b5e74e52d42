//! Turns: of the applications with messages that wait, the one goes next that would have had the
//! least by then (weighted fair queueing, with equal weights).
//!
//! A clock shows how much work each application would have had by now, had they all been served at
//! once, each a little at a time. An application's next message begins where its last one ended, or now if
//! nothing of it waited; the message that ends first is next. So whoever asks for little goes before whoever asks
//! for much, and nobody waits longer than until all others have had as much as he asks for.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use ringbolt_model::AppId;

use super::load::Load;
use crate::Accept;

/// The clock's units in a row: enough that a row among tens of thousands of applications is not
/// rounded to nothing.
const UNITS: u64 = 1 << 20;

/// Messages that wait, by application.
#[derive(Default)]
pub(crate) struct Turns {
    lines: HashMap<AppId, Line>,
    /// When the first message of each line ends, and a number that lets the earlier one of two go first.
    next: BinaryHeap<Reverse<(u64, u64, AppId)>>,
    now: u64,
    numbers: u64,
}

/// What waits of one application.
#[derive(Default)]
struct Line {
    waiting: VecDeque<Accept>,
    load: Load,
}

impl Turns {
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How much of this application waits.
    pub(crate) fn waits_of(&self, app: AppId) -> Load {
        self.lines
            .get(&app)
            .map_or_else(Load::default, |line| line.load)
    }

    pub(crate) fn push(&mut self, accept: Accept) {
        let (app, load) = (accept.message.app, Load::of(&accept));
        let line = match self.lines.entry(app) {
            Entry::Occupied(line) => line.into_mut(),
            Entry::Vacant(place) => {
                self.numbers += 1;
                let ends = self.now + load.work() * UNITS;
                self.next.push(Reverse((ends, self.numbers, app)));
                place.insert(Line::default())
            }
        };
        line.load += load;
        line.waiting.push_back(accept);
    }

    /// The message whose turn it is.
    pub(crate) fn next(&mut self) -> Option<Accept> {
        let Reverse((ended, _, app)) = self.next.pop()?;
        let all = self.lines.len() as u64;
        let line = self.lines.get_mut(&app)?;
        let accept = line.waiting.pop_front()?;
        let load = Load::of(&accept);
        line.load -= load;
        self.now += load.work() * UNITS / all;
        if let Some(first) = line.waiting.front() {
            self.numbers += 1;
            let ends = ended + Load::of(first).work() * UNITS;
            self.next.push(Reverse((ends, self.numbers, app)));
        } else {
            self.lines.remove(&app);
        }
        if self.lines.is_empty() {
            *self = Self::default();
        }
        Some(accept)
    }
}
