//! What a converter prepared for the records of a topic, by schema when it writes and by id when it reads.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use wharf_api::SchemaRef;
use wharf_converters::cache::{LruCache, SchemaKey};

use crate::model::RegistrySchema;
use crate::wire::SchemaId;

/// What a converter has at hand to find an entry by.
pub trait CacheKey: Copy {
    /// The form that is kept.
    type Kept: Debug + Clone + Hash + Eq;

    /// Whether this is the kept one. It is asked for every record, so it may miss what is equal but costs to compare; that is
    /// found with [`to_kept`](Self::to_kept).
    fn is(self, kept: &Self::Kept) -> bool;

    /// The form to keep.
    fn to_kept(self) -> Self::Kept;
}

/// A record's schema, if it has one: the very same one is found by its address.
impl CacheKey for Option<&SchemaRef> {
    type Kept = Option<SchemaKey>;

    fn is(self, kept: &Self::Kept) -> bool {
        match (self, kept) {
            (None, None) => true,
            (Some(schema), Some(kept)) => kept.is_made_of(schema),
            _ => false,
        }
    }

    fn to_kept(self) -> Self::Kept {
        self.map(SchemaKey::new)
    }
}

/// A record to write: its schema, if it has one, and the schema of the registry that it brings along, if it does.
#[derive(Debug, Clone, Copy)]
pub struct ToWrite<'a> {
    /// The record's schema.
    pub schema: Option<&'a SchemaRef>,
    /// The registry's.
    pub brought: Option<&'a Arc<RegistrySchema>>,
}

impl CacheKey for ToWrite<'_> {
    type Kept = (Option<SchemaKey>, Option<Arc<RegistrySchema>>);

    fn is(self, (schema, brought): &Self::Kept) -> bool {
        self.schema.is(schema)
            && match (self.brought, brought) {
                (None, None) => true,
                (Some(own), Some(kept)) => Arc::ptr_eq(own, kept),
                _ => false,
            }
    }

    fn to_kept(self) -> Self::Kept {
        (self.schema.to_kept(), self.brought.cloned())
    }
}

impl CacheKey for SchemaId {
    type Kept = Self;

    fn is(self, kept: &Self::Kept) -> bool {
        self == *kept
    }

    fn to_kept(self) -> Self::Kept {
        self
    }
}

/// The id of a schema and which of its types a message is of.
impl CacheKey for (SchemaId, &[u8]) {
    type Kept = (SchemaId, Vec<u8>);

    fn is(self, kept: &Self::Kept) -> bool {
        self.0 == kept.0 && self.1 == kept.1
    }

    fn to_kept(self) -> Self::Kept {
        (self.0, self.1.to_vec())
    }
}

/// Holds at most `capacity` entries, and the last one even if that is 0: a record like the one before it asks no map.
///
/// Whether an entry still holds is the caller's to know, see [`SchemaRegistry::is_fixed`](crate::SchemaRegistry::is_fixed).
#[derive(Debug)]
pub struct TopicCache<K, V> {
    entries: LruCache<(String, K), Arc<V>>,
    last: Option<((String, K), Arc<V>)>,
}

impl<K: Debug + Clone + Hash + Eq, V> TopicCache<K, V> {
    /// An empty cache.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: LruCache::new(capacity),
            last: None,
        }
    }

    /// What was prepared for a topic's records of this key.
    pub fn get(&mut self, topic: &str, key: impl CacheKey<Kept = K>) -> Option<Arc<V>> {
        if let Some(((last_topic, last_key), value)) = &self.last
            && key.is(last_key)
            && last_topic == topic
        {
            return Some(Arc::clone(value));
        }
        let key = (topic.to_owned(), key.to_kept());
        let value = Arc::clone(self.entries.get(&key)?);
        self.last = Some((key, Arc::clone(&value)));
        Some(value)
    }

    /// Keeps what was prepared.
    pub fn insert(&mut self, topic: &str, key: impl CacheKey<Kept = K>, value: &Arc<V>) {
        let key = (topic.to_owned(), key.to_kept());
        self.entries.insert(key.clone(), Arc::clone(value));
        self.last = Some((key, Arc::clone(value)));
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::SchemaBuilder;

    use super::*;

    #[test]
    fn entries_are_found_by_topic_and_equal_schema() {
        let named = |name| SchemaBuilder::structure().name(name).build().unwrap();
        let (schema, same, other) = (named("one"), named("one"), named("other"));
        let mut cache = TopicCache::new(2);
        cache.insert("a", Some(&schema), &Arc::new(1));
        assert_eq!(cache.get("a", Some(&schema)).as_deref(), Some(&1));
        assert_eq!(cache.get("a", Some(&same)).as_deref(), Some(&1));
        assert_eq!(cache.get("b", Some(&schema)), None);
        assert_eq!(cache.get("a", Some(&other)), None);
        assert_eq!(cache.get("a", None), None);
        cache.insert("a", None, &Arc::new(2));
        assert_eq!(cache.get("a", None).as_deref(), Some(&2));
        assert_eq!(cache.get("a", Some(&schema)).as_deref(), Some(&1));
    }

    #[test]
    fn types_of_one_id_are_apart() {
        let id = SchemaId::Id(1);
        let mut cache = TopicCache::new(2);
        cache.insert("a", (id, &[0][..]), &Arc::new(1));
        cache.insert("a", (id, &[2, 0][..]), &Arc::new(2));
        assert_eq!(cache.get("a", (id, &[0][..])).as_deref(), Some(&1));
        assert_eq!(cache.get("a", (id, &[2, 0][..])).as_deref(), Some(&2));
        assert_eq!(cache.get("a", (SchemaId::Id(2), &[0][..])), None);
    }

    #[test]
    fn the_last_entry_is_found_without_room() {
        let mut cache = TopicCache::new(0);
        for id in [SchemaId::Id(1), SchemaId::Id(2)] {
            cache.insert("a", id, &Arc::new(id));
            assert_eq!(cache.get("a", id).as_deref(), Some(&id));
        }
        assert_eq!(cache.get("a", SchemaId::Id(1)), None);
    }
}
