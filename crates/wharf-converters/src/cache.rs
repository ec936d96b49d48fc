//! What converters keep about schemas: a small map that forgets what was not used for longest and what is too old, and
//! schemas as its keys.
//!
//! A hit costs one look-up; making room walks all entries, which few schemas make rare.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use wharf_api::{Schema, SchemaRef};

/// A schema as a key: found by a few of its attributes, compared in full.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaKey(SchemaRef);

impl SchemaKey {
    /// The key of a schema.
    #[must_use]
    pub fn new(schema: &SchemaRef) -> Self {
        Self(SchemaRef::clone(schema))
    }

    /// Whether it was made of this very schema, not of an equal one.
    #[must_use]
    pub fn is_made_of(&self, schema: &SchemaRef) -> bool {
        SchemaRef::ptr_eq(&self.0, schema)
    }
}

impl Eq for SchemaKey {}

impl Hash for SchemaKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        fn shallow<H: Hasher>(schema: &Schema, state: &mut H) {
            schema.schema_type().hash(state);
            schema.is_optional().hash(state);
            schema.name().hash(state);
            schema.version().hash(state);
        }
        shallow(&self.0, state);
        for field in self.0.fields().unwrap_or_default() {
            field.name().hash(state);
            shallow(field.schema(), state);
        }
    }
}

/// Holds at most `capacity` entries, each for at most its time to live.
#[derive(Debug)]
pub struct LruCache<K, V> {
    entries: HashMap<K, Entry<V>>,
    capacity: usize,
    time_to_live: Option<Duration>,
    clock: u64,
}

#[derive(Debug)]
struct Entry<V> {
    used: u64,
    written: Option<Instant>,
    value: V,
}

impl<K: Hash + Eq + Clone, V> LruCache<K, V> {
    /// An empty cache whose entries do not age. One of capacity 0 stores nothing.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            capacity,
            time_to_live: None,
            clock: 0,
        }
    }

    /// An empty cache whose entries live so long after they were stored; `None` is for ever.
    #[must_use]
    pub fn with_time_to_live(capacity: usize, time_to_live: Option<Duration>) -> Self {
        Self {
            time_to_live,
            ..Self::new(capacity)
        }
    }

    /// The value of a key, which counts as a use.
    pub fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.clock += 1;
        let entry = self.entries.get_mut(key)?;
        if let (Some(limit), Some(written)) = (self.time_to_live, entry.written)
            && written.elapsed() >= limit
        {
            return None;
        }
        entry.used = self.clock;
        Some(&entry.value)
    }

    /// Stores a value, making room if needed.
    pub fn insert(&mut self, key: K, value: V) {
        if self.capacity == 0 {
            return;
        }
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.entries.remove(&oldest);
            }
        }
        self.clock += 1;
        let entry = Entry {
            used: self.clock,
            written: self.time_to_live.map(|_| Instant::now()),
            value,
        };
        self.entries.insert(key, entry);
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
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
        assert_eq!(cache.get("a"), Some(&1));
        cache.insert("c", 3);
        assert_eq!(cache.get("b"), None);
        assert_eq!(cache.get("a"), Some(&1));
        assert_eq!(cache.len(), 2);
        assert_eq!(cache.get("c"), Some(&3));
        cache.insert("a", 4);
        assert_eq!(cache.get("a"), Some(&4));
        assert_eq!(cache.get("c"), Some(&3));
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn entries_end_with_their_time_and_capacity_zero_stores_nothing() {
        let mut cache = LruCache::with_time_to_live(2, Some(Duration::ZERO));
        cache.insert("a", 1);
        assert_eq!(cache.get("a"), None);
        let mut cache = LruCache::with_time_to_live(2, Some(Duration::from_secs(1000)));
        cache.insert("a", 1);
        assert_eq!(cache.get("a"), Some(&1));
        let mut cache = LruCache::new(0);
        cache.insert("a", 1);
        assert_eq!(cache.get("a"), None);
        assert!(cache.is_empty());
    }
}
