//! Lanes that are not trusted and wait, by application: the one with the fewest such attempts in flight
//! goes first, so that the thousands of one application are no line that another stands in.

use std::collections::{BTreeMap, BTreeSet};

use ringbolt_model::AppId;

use super::Standing;

/// A lane's rank among those of its application: attempts in flight, ticket, number.
pub(super) type Place = (u16, u64, u32);
/// An application's attempts in flight of lanes that are not trusted, and its first lane.
pub(super) type First = (usize, Place);

/// The applications that have such lanes, waiting or in flight.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    in_flight: BTreeMap<AppId, usize>,
    waiting: [Waiting; 3],
}

/// Those of one standing.
#[derive(Debug, Default)]
struct Waiting {
    lines: BTreeMap<AppId, Line>,
    firsts: BTreeSet<First>,
}

/// Those of one application.
#[derive(Debug)]
struct Line {
    lanes: BTreeSet<Place>,
    /// As it stands among the others.
    first: Option<First>,
}

impl Tenants {
    /// The first lane of a standing.
    pub(super) fn first(&self, standing: Standing) -> Option<First> {
        self.waiting[index(standing)?].firsts.first().copied()
    }

    pub(super) fn add(&mut self, app: AppId, standing: Standing, place: Place) {
        let Some(index) = index(standing) else { return };
        let own = self.of(app);
        self.waiting[index].change(app, own, |lanes| {
            lanes.insert(place);
        });
    }

    pub(super) fn remove(&mut self, app: AppId, standing: Standing, place: Place) {
        let Some(index) = index(standing) else { return };
        let own = self.of(app);
        self.waiting[index].change(app, own, |lanes| {
            lanes.remove(&place);
        });
    }

    pub(super) fn started(&mut self, app: AppId, attempts: usize) {
        self.set(app, self.of(app) + attempts);
    }

    pub(super) fn ended(&mut self, app: AppId, attempts: usize) {
        self.set(app, self.of(app) - attempts);
    }

    /// How many such attempts an application has in flight.
    pub(super) fn of(&self, app: AppId) -> usize {
        self.in_flight.get(&app).copied().unwrap_or_default()
    }

    fn set(&mut self, app: AppId, own: usize) {
        if own == 0 {
            self.in_flight.remove(&app);
        } else {
            self.in_flight.insert(app, own);
        }
        for waiting in &mut self.waiting {
            if waiting.lines.contains_key(&app) {
                waiting.change(app, own, |_| ());
            }
        }
    }
}

impl Waiting {
    fn change(&mut self, app: AppId, own: usize, change: impl FnOnce(&mut BTreeSet<Place>)) {
        let line = self.lines.entry(app).or_insert(Line {
            lanes: BTreeSet::new(),
            first: None,
        });
        change(&mut line.lanes);
        let first = line.lanes.first().map(|place| (own, *place));
        let before = std::mem::replace(&mut line.first, first);
        if before != first {
            before.map(|before| self.firsts.remove(&before));
            first.map(|first| self.firsts.insert(first));
        }
        if first.is_none() {
            self.lines.remove(&app);
        }
    }
}

/// Which of the lists a standing has, if it has one.
const fn index(standing: Standing) -> Option<usize> {
    match standing {
        Standing::New => Some(0),
        Standing::Failing => Some(1),
        Standing::Hanging => Some(2),
        Standing::Trusted | Standing::Wavering => None,
    }
}
