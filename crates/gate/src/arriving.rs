//! Bodies that are on their way: how much of them is held and for whom, and who makes room for whom.
//!
//! Small bodies and large ones have room of their own, so that nobody's uploads keep anybody's messages out.
//! In each, one holder has a share, and where all is taken whoever holds most of theirs makes room.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use ringbolt_model::{AppId, KeyId};
use tokio::sync::Notify;

use crate::{Caller, Problem};

/// Up to how many bytes a body is small.
const SMALL: usize = 64 * 1024;
/// What a body takes beside its bytes: whoever sends one byte of each of very many takes room, too.
const BESIDE: usize = 1024;

/// The bodies of all requests to this process.
pub(crate) static ALL: Arriving = Arriving::new(64 * 1024 * 1024, 128 * 1024 * 1024);

/// For whom a body is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    /// A key that belongs to no application; the admin token if there is none.
    Operator(Option<KeyId>),
    /// All who may touch only this application.
    Tenant(AppId),
}

impl Holder {
    fn of(caller: &Caller) -> Self {
        caller.app.map_or(Self::Operator(caller.key), Self::Tenant)
    }

    /// The share of one holder is one part of so many. Operators send for all applications.
    const fn parts(self) -> usize {
        match self {
            Self::Operator(_) => 2,
            Self::Tenant(_) => 4,
        }
    }
}

/// Bodies on their way.
pub(crate) struct Arriving {
    small: Mutex<Room>,
    large: Mutex<Room>,
    /// The number of the next body.
    next: AtomicU64,
}

impl Arriving {
    /// With room for so many bytes of small bodies, and of large ones.
    pub(crate) const fn new(small: usize, large: usize) -> Self {
        Self {
            small: Mutex::new(Room::new(small)),
            large: Mutex::new(Room::new(large)),
            next: AtomicU64::new(0),
        }
    }

    /// What a body of this caller takes: nothing yet.
    pub(crate) fn share(&self, caller: &Caller) -> Share<'_> {
        Share {
            all: self,
            holder: Holder::of(caller),
            place: None,
            bytes: 0,
        }
    }

    fn room(&self, bytes: usize) -> &Mutex<Room> {
        if is_small(bytes) {
            &self.small
        } else {
            &self.large
        }
    }
}

const fn is_small(bytes: usize) -> bool {
    bytes <= SMALL
}

/// What one body takes while it arrives; free again when this is dropped.
pub(crate) struct Share<'a> {
    all: &'a Arriving,
    holder: Holder,
    /// Its number, and what tells it to make room.
    place: Option<(u64, Arc<Notify>)>,
    bytes: usize,
}

impl Share<'_> {
    /// More of it has come.
    ///
    /// # Errors
    /// 429 if there is no room for it, or it had to make room for another.
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), Problem> {
        let (before, bytes) = (self.bytes, self.bytes + more);
        let fits = match &self.place {
            Some((id, _)) if is_small(before) == is_small(bytes) => {
                self.all.room(bytes).lock().grow(self.holder, *id, more)
            }
            _ => {
                self.give_back();
                self.enter(bytes)
            }
        };
        self.bytes = bytes;
        if fits { Ok(()) } else { Err(crowded()) }
    }

    fn enter(&mut self, bytes: usize) -> bool {
        let (id, leave) = (self.all.next.fetch_add(1, Relaxed), Arc::default());
        let body = Held {
            bytes: bytes + BESIDE,
            leave: Arc::clone(&leave),
        };
        self.place = Some((id, leave));
        self.all.room(bytes).lock().enter(self.holder, id, body)
    }

    /// Nothing of it is held any more.
    pub(crate) fn give_back(&mut self) {
        if let Some((id, _)) = self.place.take() {
            self.all.room(self.bytes).lock().remove(self.holder, id);
        }
    }

    /// Returns when it has to make room for another.
    pub(crate) async fn told_to_leave(&self) -> Problem {
        match &self.place {
            Some((_, leave)) => leave.notified().await,
            None => std::future::pending().await,
        }
        crowded()
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn crowded() -> Problem {
    let detail = "too many requests whose bodies are large or slow arrive at once";
    Problem::too_many(detail, Duration::from_secs(1))
}

/// What bodies of one size take.
struct Room {
    most: usize,
    held: usize,
    holders: BTreeMap<Holder, Holding>,
}

/// What one holder has of it.
#[derive(Default)]
struct Holding {
    bytes: usize,
    bodies: BTreeMap<u64, Held>,
}

struct Held {
    bytes: usize,
    leave: Arc<Notify>,
}

impl Room {
    const fn new(most: usize) -> Self {
        Self {
            most,
            held: 0,
            holders: BTreeMap::new(),
        }
    }

    fn enter(&mut self, holder: Holder, id: u64, body: Held) -> bool {
        let fits = self.make_room(holder, body.bytes);
        if fits {
            let holding = self.holders.entry(holder).or_default();
            holding.bytes += body.bytes;
            self.held += body.bytes;
            holding.bodies.insert(id, body);
        }
        fits
    }

    fn grow(&mut self, holder: Holder, id: u64, more: usize) -> bool {
        if !self.make_room(holder, more) {
            return false;
        }
        let Some(holding) = self.holders.get_mut(&holder) else {
            return false;
        };
        let Some(body) = holding.bodies.get_mut(&id) else {
            return false;
        };
        body.bytes += more;
        holding.bytes += more;
        self.held += more;
        true
    }

    /// Says whether there is room for more of this holder's.
    fn make_room(&mut self, holder: Holder, more: usize) -> bool {
        let own = more + self.holders.get(&holder).map_or(0, |holding| holding.bytes);
        let taken = own * holder.parts();
        if taken > self.most {
            return false;
        }
        while self.held + more > self.most {
            let holdings = self.holders.iter();
            let most = holdings.map(|(holder, holding)| (holding.bytes * holder.parts(), *holder));
            match most.max() {
                Some((most, holder)) if most > taken => self.end_largest(holder),
                _ => return false,
            }
        }
        true
    }

    /// Ends a holder's largest body; the oldest of several.
    fn end_largest(&mut self, holder: Holder) {
        let bodies = self.holders.get(&holder).map(|holding| &holding.bodies);
        let largest =
            bodies.and_then(|bodies| bodies.iter().rev().max_by_key(|(_, body)| body.bytes));
        if let Some(id) = largest.map(|(id, _)| *id)
            && let Some(body) = self.remove(holder, id)
        {
            body.leave.notify_one();
        }
    }

    fn remove(&mut self, holder: Holder, id: u64) -> Option<Held> {
        let holding = self.holders.get_mut(&holder)?;
        let body = holding.bodies.remove(&id)?;
        holding.bytes -= body.bytes;
        self.held -= body.bytes;
        if holding.bodies.is_empty() {
            self.holders.remove(&holder);
        }
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;

    fn of(app: u64) -> Caller {
        Caller {
            app: Some(app.into()),
            ..Caller::ADMIN
        }
    }

    /// So many bodies of a caller, as far as they are let in.
    fn bodies<'a>(all: &'a Arriving, caller: &Caller, count: usize, size: usize) -> Vec<Share<'a>> {
        let bodies = (0..count).map(|_| all.share(caller));
        let let_in = bodies.filter_map(|mut body| body.grow(size).is_ok().then_some(body));
        let_in.collect()
    }

    fn left(bodies: &[Share<'_>]) -> usize {
        let told = bodies
            .iter()
            .map(|body| body.told_to_leave().now_or_never());
        told.flatten().count()
    }

    #[test]
    fn one_application_holds_a_quarter_and_an_operator_half() {
        let all = Arriving::new(MIB, 32 * MIB);
        let [one, two] = [of(1), of(2)].map(|caller| bodies(&all, &caller, 20, MIB));
        assert_eq!(
            (one.len(), two.len()),
            (7, 7),
            "one MiB and what is beside it"
        );
        assert_eq!(bodies(&all, &Caller::ADMIN, 20, MIB).len(), 15);
        drop(one);
        assert_eq!(
            bodies(&all, &of(1), 20, MIB).len(),
            7,
            "what is dropped is free"
        );
    }

    #[test]
    fn large_bodies_leave_small_ones_their_room() {
        let all = Arriving::new(8 * MIB, 8 * MIB);
        let large: Vec<_> = (1..9)
            .flat_map(|app| bodies(&all, &of(app), 9, MIB))
            .collect();
        assert!(!large.is_empty());
        assert_eq!(bodies(&all, &of(1), 10, SMALL).len(), 10);
        let mut growing = all.share(&of(1));
        assert!(growing.grow(SMALL).is_ok());
        assert!(growing.grow(2 * MIB).is_err(), "it is a large one now");
        drop(growing);
        assert_eq!(all.small.lock().held, 0);
    }

    #[test]
    fn where_all_is_taken_whoever_holds_most_makes_room() {
        let all = Arriving::new(8 * MIB, 8 * MIB);
        let size = 256 * KIB - BESIDE;
        let others = Vec::from_iter((1..5).map(|app| bodies(&all, &of(app), 9, size)));
        assert_eq!(all.large.lock().held, 8 * MIB);
        let newcomer = bodies(&all, &of(5), 9, size);
        assert_eq!(newcomer.len(), 6, "as much as the others have then");
        let left = Vec::from_iter(others.iter().map(|bodies| left(bodies)));
        assert_eq!(left.iter().sum::<usize>(), 6);
        assert!(left.iter().all(|&left| left <= 2), "{left:?}");
        assert_eq!(all.large.lock().held, 8 * MIB);
    }

    #[test]
    fn a_body_that_was_told_to_leave_grows_no_more() {
        let all = Arriving::new(MIB, 4 * MIB);
        let mut most = bodies(&all, &of(1), 1, MIB - BESIDE);
        let others = Vec::from_iter((2..5).flat_map(|app| bodies(&all, &of(app), 1, 900 * KIB)));
        assert_eq!(others.len(), 3);
        assert_eq!(bodies(&all, &of(5), 1, 512 * KIB).len(), 1);
        assert_eq!((left(&most), left(&others)), (1, 0));
        assert_eq!(most[0].grow(1).unwrap_err().status().as_u16(), 429);
        drop(most);
        assert_eq!(all.large.lock().held, 3 * (900 * KIB + BESIDE));
    }

    #[test]
    fn one_byte_of_each_of_very_many_takes_room_as_well() {
        let all = Arriving::new(MIB, MIB);
        assert_eq!(bodies(&all, &of(1), 1000, 1).len(), 255);
        assert_eq!(all.small.lock().held, 0);
    }
}
