//! Timers: one for each number, in a heap that knows where each is, so that none is left behind.

use ringbolt_model::Timestamp;

const NOWHERE: u32 = u32::MAX;

/// At most one moment for each key; keys are small and dense.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timers {
    heap: Vec<(Timestamp, u32)>,
    places: Vec<u32>,
}

impl Timers {
    /// The moment set for `key`.
    pub(crate) fn at(&self, key: u32) -> Option<Timestamp> {
        let place = *self.places.get(key as usize)?;
        self.heap.get(place as usize).map(|(at, _)| *at)
    }

    /// The earliest of all.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.heap.first().map(|(at, _)| *at)
    }

    /// Sets the moment of `key`, instead of the one it had.
    pub(crate) fn set(&mut self, key: u32, at: Timestamp) {
        if self.places.len() <= key as usize {
            self.places.resize(key as usize + 1, NOWHERE);
        }
        let mut place = self.places[key as usize] as usize;
        if place >= self.heap.len() {
            place = self.heap.len();
            self.heap.push((at, key));
        } else {
            self.heap[place] = (at, key);
        }
        self.places[key as usize] = place as u32;
        let place = self.rise(place);
        self.sink(place);
    }

    /// Forgets the moment of `key`.
    pub(crate) fn clear(&mut self, key: u32) {
        let Some(place) = self.places.get_mut(key as usize) else {
            return;
        };
        let place = std::mem::replace(place, NOWHERE) as usize;
        if place >= self.heap.len() {
            return;
        }
        self.heap.swap_remove(place);
        if let Some((_, moved)) = self.heap.get(place) {
            self.places[*moved as usize] = place as u32;
            let place = self.rise(place);
            self.sink(place);
        }
    }

    /// Takes a key whose moment has come, the earliest first.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<u32> {
        let (at, key) = *self.heap.first()?;
        if at > now {
            return None;
        }
        self.clear(key);
        Some(key)
    }

    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 && self.heap[place] < self.heap[(place - 1) / 2] {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        place
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let children = (2 * place + 1)..self.heap.len().min(2 * place + 3);
            let Some(least) = children.min_by_key(|child| self.heap[*child]) else {
                return;
            };
            if self.heap[place] <= self.heap[least] {
                return;
            }
            self.swap(place, least);
            place = least;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.places[self.heap[a].1 as usize] = a as u32;
        self.places[self.heap[b].1 as usize] = b as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn timers_behave_like_a_sorted_map(steps in prop::collection::vec((0u8..3, 0u32..20, 0i64..50), 1..200)) {
            let (mut timers, mut model) = (Timers::default(), BTreeMap::new());
            for (what, key, at) in steps {
                let at = Timestamp::from_micros(at);
                match what {
                    0 => { timers.set(key, at); model.insert(key, at); }
                    1 => { timers.clear(key); model.remove(&key); }
                    _ => {
                        let due = model.iter().map(|(k, t)| (*t, *k)).min().filter(|(t, _)| *t <= at);
                        prop_assert_eq!(timers.take_due(at), due.map(|(_, k)| k));
                        if let Some((_, k)) = due { model.remove(&k); }
                    }
                }
                prop_assert_eq!(timers.next(), model.values().min().copied());
                prop_assert_eq!(timers.at(key), model.get(&key).copied());
            }
        }
    }
}
