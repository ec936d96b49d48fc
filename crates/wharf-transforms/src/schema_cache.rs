//! What was derived from a schema, kept by the schema.
//!
//! Schemas are shared, so the same pointer nearly always means the same schema and one comparison of pointers answers. A
//! schema that is equal but stands elsewhere costs one full comparison, and is known by its own pointer from then on. At
//! most 16 are kept, as upstream; the one used longest ago makes room.

use std::sync::Arc;

use wharf_api::{Result, SchemaRef};

const CAPACITY: usize = 16;

/// Derived things, the most recently used first.
#[derive(Debug)]
pub struct SchemaCache<T>(Vec<(SchemaRef, Arc<T>)>);

impl<T> Default for SchemaCache<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> SchemaCache<T> {
    /// What belongs to this schema; made when it is met for the first time.
    ///
    /// # Errors
    /// What `make` fails with, which is not kept.
    pub fn get(&mut self, schema: &SchemaRef, make: impl FnOnce(&SchemaRef) -> Result<T>) -> Result<&T> {
        let entries = &mut self.0;
        match entries.iter().position(|(known, _)| Arc::ptr_eq(known, schema)) {
            Some(0) => {}
            Some(at) => entries[..=at].rotate_right(1),
            None => {
                let derived = match entries.iter().find(|(known, _)| known == schema) {
                    Some((_, derived)) => Arc::clone(derived),
                    None => Arc::new(make(schema)?),
                };
                entries.truncate(CAPACITY - 1);
                entries.insert(0, (Arc::clone(schema), derived));
            }
        }
        Ok(&self.0[0].1)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{ConnectError, Schema, SchemaBuilder};

    use super::*;

    fn named(name: &str) -> SchemaRef {
        SchemaBuilder::structure().name(name).build().unwrap()
    }

    #[test]
    fn equal_schemas_share_what_was_derived_once() {
        let mut cache = SchemaCache::default();
        let mut made = 0;
        let (first, second, other) = (named("a"), named("a"), named("b"));
        for schema in [&first, &second, &other, &first, &second, &other] {
            cache
                .get(schema, |_| {
                    made += 1;
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!((made, cache.0.len()), (2, 3));
    }

    #[test]
    fn the_schema_used_longest_ago_makes_room() {
        let mut cache = SchemaCache::default();
        let first = named("first");
        cache.get(&first, |_| Ok(0)).unwrap();
        let others: Vec<_> = (1..=20).map(|n| named(&n.to_string())).collect();
        for (n, schema) in others.iter().enumerate() {
            cache.get(schema, |_| Ok(n + 1)).unwrap();
            assert_eq!(*cache.get(&first, |_| Ok(99)).unwrap(), 0);
        }
        assert_eq!(cache.0.len(), CAPACITY);
        assert_eq!(*cache.get(&others[0], |_| Ok(7)).unwrap(), 7);
    }

    #[test]
    fn a_failure_is_not_kept() {
        let mut cache = SchemaCache::default();
        let schema = Schema::int8();
        assert!(cache.get(&schema, |_| Err(ConnectError::data("no"))).is_err());
        assert_eq!(*cache.get(&schema, |_| Ok(1)).unwrap(), 1);
    }
}
