//! Sharing: which lane gets the next slot. Max-min: the lane with the fewest attempts in flight goes
//! first, and among equals the one that has waited longest.
//!
//! Slots that hang do not come back before their time-out, and nobody can tell a new lane that will
//! answer from one that will hang. So lanes that are known to hang fill half of all slots at most, and
//! those that have not succeeded yet five eighths, together. The eighth beyond that is given out at a pace
//! at which it cannot run out, to newcomers, the latest first: whoever comes when thousands hang has a
//! slot within a beat. What has been tried before, and failed, has a beat only if no newcomer waits.
//!
//! Trusted lanes may begin to hang as well, all those of one server at once, and a few dozen of them
//! could take every slot before it is found out. So the last eighth of all goes to trusted lanes that
//! have nothing in flight, and to newcomers at their pace.
//!
//! A lane that has proved itself does not wait behind all that hang because of a few slow answers: it
//! *wavers*, and may start while six eighths are taken, or at the pace after the newcomers.
//!
//! Lanes that are not trusted share by application first: that with the fewest such attempts in flight goes
//! before the others, and with a lane that hangs before the untested ones of an application that has more.
//! One with few of them may go on where the others have to wait, up to eleven sixteenths.
//! So an endpoint that always takes seconds to answer does not stand in a line of thousands that hang.
//!
//! Lanes that wait stand in doubly linked lists, one for each number of attempts in flight, so that a
//! start costs the same with ten lanes as with a hundred thousand.

mod lists;
mod tenants;
#[cfg(test)]
mod tests;

use std::time::Duration;

use lists::{LEVELS, Lists, NONE};
use ringbolt_model::{AppId, Timestamp};
use tenants::{First, Tenants};

/// Of sixteen slots, so many may be taken by lanes that are not trusted when one that hangs is to start,
const BESIDE_HANGING: usize = 8;
/// and one that has not succeeded yet. Newcomers have an eighth beyond that, the rest is for trusted
/// lanes.
const BESIDE_UNTESTED: usize = 10;
/// One that hangs may start up to here if its application has few in flight,
const BESIDE_FEW: usize = 11;
/// and one that wavers up to here.
const BESIDE_WAVERING: usize = 12;

/// One of so many slots is little for an application.
const FEW: usize = 64;

/// The slots, and the lanes that wait for one.
#[derive(Debug)]
pub(crate) struct Share {
    total: usize,
    in_flight: usize,
    doubtful_in_flight: usize,
    newcomers: Newcomers,
    waits: Vec<Wait>,
    lists: [Lists; 5],
    tenants: Tenants,
    ticket: u64,
}

/// What a lane is known for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It answers promptly.
    Trusted = 0,
    /// Nothing: no attempt of it has ended yet.
    New = 1,
    /// It answers promptly, but has not succeeded.
    Failing = 2,
    /// Its attempts hang.
    Hanging = 3,
    /// It has proved itself, but the latest was slow.
    Wavering = 4,
}

/// The pace at which the eighth that is kept for newcomers is given out.
#[derive(Debug)]
struct Newcomers {
    /// At this pace the first slot is back when the last is given out, whatever hangs.
    pace: Duration,
    /// From when the next may start.
    open_at: Option<Timestamp>,
    /// The lane that the last of these slots went to.
    last: u32,
    /// The lane whose turn it is, if it is one of these.
    called: u32,
    /// When a lane that waits for the pace can start.
    wake: Option<Timestamp>,
}

/// A lane's place among those that wait.
#[derive(Debug, Clone, Copy)]
struct Wait {
    /// Its standing and level; `None` if it does not wait.
    list: Option<(Standing, u16)>,
    app: Option<AppId>,
    ticket: u64,
    before: u32,
    after: u32,
}

const NOT_WAITING: Wait = Wait {
    list: None,
    app: None,
    ticket: 0,
    before: NONE,
    after: NONE,
};

impl Share {
    /// So many slots, each of which is back after `longest` at the latest.
    pub(crate) fn new(total: usize, longest: Duration) -> Self {
        let kept = part(total, BESIDE_WAVERING) - part(total, BESIDE_UNTESTED);
        Self {
            total: total.max(1),
            in_flight: 0,
            doubtful_in_flight: 0,
            newcomers: Newcomers {
                pace: longest / u32::try_from(kept.max(1)).unwrap_or(u32::MAX),
                open_at: None,
                last: NONE,
                called: NONE,
                wake: None,
            },
            waits: Vec::new(),
            lists: std::array::from_fn(|_| Lists::new()),
            tenants: Tenants::default(),
            ticket: 0,
        }
    }

    pub(crate) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether the lanes of an application need not be frugal: most slots are free, or there are some and
    /// of its lanes that are not trusted few attempts are in flight.
    pub(crate) fn is_plenty(&self, app: AppId) -> bool {
        let few = self.is_few(self.tenants.of(app));
        self.in_flight * 2 < self.total || (few && !self.is_crowded())
    }

    const fn is_few(&self, attempts: usize) -> bool {
        attempts < self.total / FEW
    }

    /// A lane waits for a slot. One that waits already keeps its place if nothing about it changed.
    pub(crate) fn enlist(&mut self, lane: u32, app: AppId, standing: Standing, in_flight: usize) {
        let list = (standing, in_flight.min(LEVELS - 1) as u16);
        if self.waits.len() <= lane as usize {
            self.waits.resize(lane as usize + 1, NOT_WAITING);
        }
        if self.waits[lane as usize].list == Some(list) {
            return;
        }
        self.delist(lane);
        self.ticket += 1;
        let last = self.lists[standing as usize].append(list.1, lane);
        if last != NONE {
            self.waits[last as usize].after = lane;
        }
        let ticket = self.ticket;
        self.tenants.add(app, standing, (list.1, ticket, lane));
        self.waits[lane as usize] = Wait {
            list: Some(list),
            app: Some(app),
            ticket,
            before: last,
            after: NONE,
        };
    }

    /// A lane no longer waits for a slot.
    pub(crate) fn delist(&mut self, lane: u32) {
        let Some(wait) = self.waits.get_mut(lane as usize) else {
            return;
        };
        let Wait {
            list: Some((standing, level)),
            app: Some(app),
            ticket,
            before,
            after,
        } = std::mem::replace(wait, NOT_WAITING)
        else {
            return;
        };
        if before != NONE {
            self.waits[before as usize].after = after;
        }
        if after != NONE {
            self.waits[after as usize].before = before;
        }
        self.lists[standing as usize].unlink(level, before, after);
        self.tenants.remove(app, standing, (level, ticket, lane));
    }

    /// Takes the lane whose turn it is, if there is a slot for it. It no longer waits then.
    pub(crate) fn take_turn(&mut self, now: Timestamp) -> Option<u32> {
        self.newcomers.wake = None;
        if self.in_flight >= self.total {
            return None;
        }
        let newcomer = self.newcomer(now);
        let [trusted, .., wavering] = self.lists.each_ref().map(Lists::lowest);
        let rank = |(level, lane): (u16, u32)| (level, self.waits[lane as usize].ticket, lane);
        let crowded = self.is_crowded();
        let trusted = trusted.filter(|(level, _)| *level == 0 || !crowded);
        let wavering = wavering.filter(|_| self.fits_beside(BESIDE_WAVERING) && !crowded);
        let doubtful = self.doubtful().filter(|_| !crowded);
        let (_, _, lane) = trusted
            .into_iter()
            .chain(wavering)
            .chain(doubtful)
            .chain(newcomer)
            .map(rank)
            .min()?;
        let is_newcomer = newcomer.is_some_and(|(_, called)| called == lane);
        self.newcomers.called = if is_newcomer { lane } else { NONE };
        self.delist(lane);
        Some(lane)
    }

    /// The lane that is not trusted and goes first, if there is room for one of its kind.
    fn doubtful(&self) -> Option<(u16, u32)> {
        let first = |standing| self.tenants.first(standing);
        let untested: Option<First> = first(Standing::New)
            .into_iter()
            .chain(first(Standing::Failing))
            .min()
            .filter(|_| self.fits_beside(BESIDE_UNTESTED));
        let hanging = first(Standing::Hanging).filter(|(own, _)| {
            self.fits_beside(BESIDE_HANGING)
                || untested.is_some_and(|(other, _)| *own < other)
                || (self.is_few(*own) && self.fits_beside(BESIDE_FEW))
        });
        // A lane that hangs lets one that may not hang pass: soon it is known.
        let lanes = untested.into_iter().chain(hanging);
        let (_, (level, _, lane)) = lanes.min_by_key(|(own, (level, ..))| (*own, *level))?;
        Some((level, lane))
    }

    /// The newcomer that may have one of the slots kept for them; notes when, if not now.
    fn newcomer(&mut self, now: Timestamp) -> Option<(u16, u32)> {
        if self.fits_beside(BESIDE_UNTESTED) && !self.is_crowded() {
            return None;
        }
        let new = self.lists[Standing::New as usize].latest();
        let wavering = || self.lists[Standing::Wavering as usize].latest();
        let failing = || self.lists[Standing::Failing as usize].longest_waiting();
        let next = new.or_else(wavering).or_else(failing)?;
        self.newcomers.wake = self.newcomers.open_at.filter(|at| *at > now);
        self.newcomers.wake.is_none().then_some((0, next))
    }

    /// Whether less than so many sixteenths are taken by lanes that are not trusted.
    fn fits_beside(&self, sixteenths: usize) -> bool {
        self.doubtful_in_flight < part(self.total, sixteenths).max(1)
    }

    /// Whether only the last eighth is left.
    const fn is_crowded(&self) -> bool {
        self.in_flight >= self.total - self.total / 8
    }

    /// When a lane that waits may have its turn by time alone, as of the last turn.
    pub(crate) const fn next_wake(&self) -> Option<Timestamp> {
        self.newcomers.wake
    }

    /// An attempt of a lane has started, of this application if it is not trusted.
    pub(crate) fn started(&mut self, lane: u32, doubtful: Option<AppId>, now: Timestamp) {
        self.in_flight += 1;
        if let Some(app) = doubtful {
            self.judged_anew(app, false, 1);
        }
        let newcomers = &mut self.newcomers;
        if newcomers.called == lane {
            newcomers.called = NONE;
            newcomers.last = lane;
            newcomers.open_at = Some(now + newcomers.pace);
        }
    }

    /// A lane has answered promptly: if it had the last slot kept for newcomers, the next need not
    /// wait.
    pub(crate) const fn answered(&mut self, lane: u32) {
        if self.newcomers.last == lane {
            self.newcomers.last = NONE;
            self.newcomers.open_at = None;
        }
    }

    /// An attempt of a lane has ended, of this application if it was not trusted.
    pub(crate) fn ended(&mut self, doubtful: Option<AppId>) {
        self.in_flight -= 1;
        if let Some(app) = doubtful {
            self.judged_anew(app, true, 1);
        }
    }

    /// A lane of an application with so many attempts in flight is now trusted, or no longer is.
    pub(crate) fn judged_anew(&mut self, app: AppId, trusted: bool, in_flight: usize) {
        if trusted {
            self.doubtful_in_flight -= in_flight;
            self.tenants.ended(app, in_flight);
        } else {
            self.doubtful_in_flight += in_flight;
            self.tenants.started(app, in_flight);
        }
    }
}

/// So many sixteenths of all slots.
const fn part(total: usize, sixteenths: usize) -> usize {
    total * sixteenths / 16
}
