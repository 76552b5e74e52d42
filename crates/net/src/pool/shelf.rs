//! The pool's bookkeeping: a stack per key, and one list through all entries by age.

use std::collections::HashMap;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::Key;

/// Marks the end of the list.
const NONE: u32 = u32::MAX;

/// Taking and putting cost the same however many entries there are.
pub(super) struct Shelf<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    by_key: HashMap<Key, SmallVec<[u32; 4]>>,
    oldest: u32,
    newest: u32,
    max_total: usize,
    max_per_key: usize,
}

struct Slot<T> {
    entry: Option<Entry<T>>,
    older: u32,
    newer: u32,
}

struct Entry<T> {
    key: Key,
    item: T,
    since: Instant,
}

impl<T> Shelf<T> {
    pub(super) fn new(max_total: usize, max_per_key: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            oldest: NONE,
            newest: NONE,
            max_total,
            max_per_key,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The newest entry under this key, with the time at which it was put there.
    pub(super) fn take(&mut self, key: &Key) -> Option<(T, Instant)> {
        let stack = self.by_key.get_mut(key)?;
        let index = stack.pop()?;
        if stack.is_empty() {
            self.by_key.remove(key);
        }
        self.release(index).map(|entry| (entry.item, entry.since))
    }

    /// Adds an entry; what must make room for it (the oldest of the key or of all, or the entry
    /// itself if nothing may be kept) comes back.
    pub(super) fn put(&mut self, key: Key, item: T, since: Instant) -> Option<T> {
        if self.max_total == 0 || self.max_per_key == 0 {
            return Some(item);
        }
        let full = self
            .by_key
            .get(&key)
            .filter(|stack| stack.len() >= self.max_per_key);
        let evicted = match full.and_then(|stack| stack.first().copied()) {
            Some(index) => self.remove(index),
            None if self.len() >= self.max_total => self.remove(self.oldest),
            None => None,
        };
        let index = self.occupy(Entry {
            key: key.clone(),
            item,
            since,
        });
        self.by_key.entry(key).or_default().push(index);
        evicted.map(|entry| entry.item)
    }

    /// Up to `at_most` entries that have lain for `age` or longer, oldest first.
    pub(super) fn take_older(&mut self, now: Instant, age: Duration, at_most: usize) -> Vec<T> {
        let mut taken = Vec::new();
        while taken.len() < at_most
            && let Some(since) = self.oldest_since()
            && now.saturating_duration_since(since) >= age
        {
            taken.extend(self.remove(self.oldest).map(|entry| entry.item));
        }
        taken
    }

    pub(super) fn take_all(&mut self) -> Vec<T> {
        let fresh = Self::new(self.max_total, self.max_per_key);
        let old = std::mem::replace(self, fresh);
        old.slots
            .into_iter()
            .filter_map(|slot| slot.entry.map(|entry| entry.item))
            .collect()
    }

    fn oldest_since(&self) -> Option<Instant> {
        self.slots
            .get(self.oldest as usize)?
            .entry
            .as_ref()
            .map(|entry| entry.since)
    }

    fn remove(&mut self, index: u32) -> Option<Entry<T>> {
        let entry = self.release(index)?;
        if let Some(stack) = self.by_key.get_mut(&entry.key) {
            stack.retain(|other| *other != index);
            if stack.is_empty() {
                self.by_key.remove(&entry.key);
            }
        }
        Some(entry)
    }

    fn occupy(&mut self, entry: Entry<T>) -> u32 {
        let slot = Slot {
            entry: Some(entry),
            older: self.newest,
            newer: NONE,
        };
        let index = match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).expect("a pool holds fewer than 2^32 sockets")
            }
        };
        match self.slots.get_mut(self.newest as usize) {
            Some(before) => before.newer = index,
            None => self.oldest = index,
        }
        self.newest = index;
        index
    }

    /// Unlinks a slot from the list by age; its key's stack is the caller's business.
    fn release(&mut self, index: u32) -> Option<Entry<T>> {
        let slot = self.slots.get_mut(index as usize)?;
        let entry = slot.entry.take()?;
        let (older, newer) = (slot.older, slot.newer);
        match self.slots.get_mut(older as usize) {
            Some(before) => before.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(after) => after.older = older,
            None => self.newest = older,
        }
        self.free.push(index);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key {
            origin: name.into(),
            tls: 0,
        }
    }

    fn at(seconds: u64) -> Instant {
        use std::sync::OnceLock;
        static START: OnceLock<Instant> = OnceLock::new();
        *START.get_or_init(Instant::now) + Duration::from_secs(seconds)
    }

    #[test]
    fn the_last_one_in_is_the_first_one_out() {
        let mut shelf = Shelf::new(10, 10);
        for (n, name) in [(0, "a"), (1, "b"), (2, "a")] {
            assert_eq!(shelf.put(key(name), n, at(n)), None);
        }
        assert_eq!(shelf.take(&key("a")), Some((2, at(2))));
        assert_eq!(shelf.take(&key("a")), Some((0, at(0))));
        assert_eq!(shelf.take(&key("a")), None);
        assert_eq!(shelf.len(), 1);
    }

    #[test]
    fn the_oldest_of_all_makes_room_when_the_total_is_reached() {
        let mut shelf = Shelf::new(2, 10);
        shelf.put(key("a"), 0, at(0));
        shelf.put(key("b"), 1, at(1));
        assert_eq!(shelf.put(key("b"), 2, at(2)), Some(0));
        assert_eq!(shelf.put(key("c"), 3, at(3)), Some(1));
        assert_eq!(shelf.len(), 2);
        assert_eq!(shelf.take(&key("a")), None);
        assert_eq!(shelf.take(&key("b")), Some((2, at(2))));
    }

    #[test]
    fn the_oldest_of_a_host_makes_room_when_its_share_is_reached() {
        let mut shelf = Shelf::new(10, 2);
        shelf.put(key("b"), 9, at(0));
        for n in 0..2 {
            shelf.put(key("a"), n, at(1 + n));
        }
        assert_eq!(shelf.put(key("a"), 2, at(3)), Some(0));
        assert_eq!(shelf.len(), 3);
    }

    #[test]
    fn what_has_lain_too_long_is_taken_oldest_first() {
        let mut shelf = Shelf::new(10, 10);
        for n in 0..4 {
            shelf.put(key("a"), n, at(n));
        }
        assert_eq!(
            shelf.take_older(at(12), Duration::from_secs(10), 64),
            [0, 1, 2]
        );
        assert_eq!(shelf.take(&key("a")), Some((3, at(3))));
        assert!(
            shelf
                .take_older(at(99), Duration::from_secs(10), 64)
                .is_empty()
        );
    }

    #[test]
    fn nothing_is_kept_where_nothing_may_be() {
        assert_eq!(Shelf::new(0, 2).put(key("a"), 7, at(0)), Some(7));
        assert_eq!(Shelf::new(2, 0).put(key("a"), 7, at(0)), Some(7));
    }

    #[test]
    fn slots_are_used_again() {
        let mut shelf = Shelf::new(4, 4);
        for n in 0..100 {
            shelf.put(key("a"), n, at(n));
            shelf.put(key("b"), n, at(n));
            shelf.take(&key("a"));
            shelf.take(&key("b"));
        }
        assert!(shelf.slots.len() <= 2);
        assert!(shelf.by_key.is_empty());
    }
}
