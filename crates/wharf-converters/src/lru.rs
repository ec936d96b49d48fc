//! A small map that forgets what was not used for longest.
//!
//! It serves the schema caches of [`JsonConverter`](crate::JsonConverter), which meet few schemas and ask often, so a
//! hit costs one look-up and making room walks all entries.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Holds at most `capacity` entries.
#[derive(Debug)]
pub(crate) struct LruCache<K, V> {
    entries: HashMap<K, (u64, V)>,
    capacity: usize,
    clock: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> LruCache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            capacity,
            clock: 0,
        }
    }

    /// The value of a key, which counts as a use.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.clock += 1;
        let (used, value) = self.entries.get_mut(key)?;
        *used = self.clock;
        Some(value.clone())
    }

    /// Stores a value, making room if needed. A cache of capacity 0 stores nothing.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.capacity == 0 {
            return;
        }
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            let oldest = self
                .entries
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
        self.clock += 1;
        self.entries.insert(key, (self.clock, value));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_recently_used_entry_makes_room() {
        let mut cache = LruCache::new(2);
        cache.insert("a", 1);
        cache.insert("b", 2);
        assert_eq!(cache.get("a"), Some(1));
        cache.insert("c", 3);
        assert_eq!(
            (cache.get("a"), cache.get("b"), cache.get("c")),
            (Some(1), None, Some(3))
        );
        cache.insert("a", 4);
        assert_eq!(
            (cache.get("a"), cache.get("c"), cache.len()),
            (Some(4), Some(3), 2)
        );
    }

    #[test]
    fn cache_of_capacity_zero_stores_nothing() {
        let mut cache = LruCache::new(0);
        cache.insert("a", 1);
        assert_eq!((cache.get("a"), cache.len()), (None, 0));
    }
}
