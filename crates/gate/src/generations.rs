//! A bounded map that forgets what has not been asked for in a while.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::RwLock;

/// Two generations of entries. What is found in the old one moves to the young one; when the young
/// one is full it becomes the old one, and what had been old is forgotten.
pub(crate) struct Generations<K, V> {
    both: RwLock<Both<K, V>>,
    /// How many entries a generation holds.
    size: usize,
}

struct Both<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Copy + Eq + Hash, V: Clone> Generations<K, V> {
    /// A map of at most `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        let both = Both {
            young: HashMap::new(),
            old: HashMap::new(),
        };
        Self {
            both: RwLock::new(both),
            size: (capacity / 2).max(1),
        }
    }

    /// What is kept under `key`.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let found = {
            let both = self.both.read();
            match both.young.get(key) {
                Some(value) => return Some(value.clone()),
                None => both.old.get(key)?.clone(),
            }
        };
        self.put(*key, found.clone());
        Some(found)
    }

    /// Keeps a value; gives back what was forgotten to make room.
    pub(crate) fn put(&self, key: K, value: V) -> Vec<V> {
        let mut both = self.both.write();
        both.old.remove(&key);
        both.young.insert(key, value);
        if both.young.len() < self.size {
            return Vec::new();
        }
        let young = std::mem::take(&mut both.young);
        std::mem::replace(&mut both.old, young)
            .into_values()
            .collect()
    }

    /// Forgets one entry.
    pub(crate) fn remove(&self, key: &K) {
        let mut both = self.both.write();
        both.young.remove(key);
        both.old.remove(key);
    }

    /// Keeps only the entries that `keep` says so of.
    pub(crate) fn retain(&self, keep: impl Fn(&V) -> bool) {
        let mut both = self.both.write();
        both.young.retain(|_, value| keep(value));
        both.old.retain(|_, value| keep(value));
    }

    /// Every value.
    pub(crate) fn values(&self) -> Vec<V> {
        let both = self.both.read();
        both.young
            .values()
            .chain(both.old.values())
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bound_and_keeps_what_is_asked_for() {
        let map = Generations::new(100);
        map.put(0, 0);
        for n in 1..10_000 {
            map.put(n, n);
            assert_eq!(map.get(&0), Some(0), "in use");
        }
        assert!(map.values().len() <= 100);
        assert_eq!(map.get(&1), None, "not in use");
    }

    #[test]
    fn what_is_removed_is_gone_from_both_generations() {
        let map = Generations::new(4);
        for n in 0..3 {
            map.put(n, n);
        }
        map.remove(&0);
        map.retain(|n| *n != 2);
        assert_eq!(
            (map.get(&0), map.get(&1), map.get(&2)),
            (None, Some(1), None)
        );
    }
}
