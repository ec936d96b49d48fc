//! The order in which Java's hash maps and hash sets of texts give their entries.
//!
//! Some decisions of a JVM leader and some bytes of JVM workers depend on it: which member keeps the odd connector, which
//! entry of an assignment comes first, and in which order the fields of a source partition are written, by whose bytes JVM
//! workers look it up.

use std::cmp::Ordering;

const FIRST_TABLE: usize = 16;

/// How a table came to its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Entry by entry: it doubles when it is more than three quarters full.
    OneByOne,
    /// As a copy of a collection: the size is computed at once, and is sometimes larger.
    ByCopy,
}

impl Filled {
    /// How many buckets a table of so many entries has.
    #[must_use]
    pub fn table_size(self, entries: usize) -> usize {
        match self {
            Self::OneByOne => {
                let mut size = FIRST_TABLE;
                while entries * 4 > size * 3 {
                    size *= 2;
                }
                size
            }
            Self::ByCopy => (entries * 4 / 3 + 1).max(FIRST_TABLE).next_power_of_two(),
        }
    }
}

/// `String.hashCode`, spread as `HashMap` does it.
fn spread_hash(text: &str) -> u32 {
    let hash = text.encode_utf16().fold(0_u32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(unit.into())
    });
    hash ^ (hash >> 16)
}

/// Brings entries, given in order of insertion, into the order of a table. Inside a bucket the order of insertion stays.
/// (Java makes trees of buckets with eight and more entries, which neither a group of workers nor a partition has.)
pub fn sort<T>(entries: &mut [T], filled: Filled, key: impl Fn(&T) -> &str) {
    let mask = filled.table_size(entries.len()) - 1;
    entries.sort_by_cached_key(|entry| spread_hash(key(entry)) as usize & mask);
}

/// `String.compareTo`: by UTF-16 code units, which differs from the order of bytes above U+FFFF.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    left.encode_utf16().cmp(right.encode_utf16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_grows_at_three_quarters_and_a_copy_is_sized_at_once() {
        for (entries, one_by_one, by_copy) in [
            (0, 16, 16),
            (11, 16, 16),
            (12, 16, 32),
            (13, 32, 32),
            (24, 32, 64),
            (25, 64, 64),
            (1000, 2048, 2048),
        ] {
            assert_eq!(Filled::OneByOne.table_size(entries), one_by_one, "{entries}");
            assert_eq!(Filled::ByCopy.table_size(entries), by_copy, "{entries}");
        }
    }

    #[test]
    fn keys_come_in_the_order_of_java_s_hash_map_and_in_one_bucket_in_that_of_insertion() {
        for (inserted, expected) in [
            (
                vec!["cluster", "topic", "partition"],
                vec!["cluster", "partition", "topic"],
            ),
            (
                vec!["kafka_topic", "kafka_partition"],
                vec!["kafka_partition", "kafka_topic"],
            ),
            (
                vec!["protocol", "table", "schema", "database", "server"],
                vec!["schema", "server", "protocol", "database", "table"],
            ),
            // The same hash: the order of insertion counts.
            (vec!["Aa", "BB"], vec!["Aa", "BB"]),
            (vec!["BB", "Aa"], vec!["BB", "Aa"]),
            (vec!["only"], vec!["only"]),
            (vec![], vec![]),
        ] {
            let mut keys = inserted;
            sort(&mut keys, Filled::OneByOne, |key| key);
            assert_eq!(keys, expected);
        }
    }

    #[test]
    fn texts_compare_by_utf_16_units() {
        for (left, right, expected) in [
            ("a", "b", Ordering::Less),
            ("a", "a", Ordering::Equal),
            ("ab", "a", Ordering::Greater),
            ("\u{ff5e}", "\u{1f600}", Ordering::Greater),
        ] {
            assert_eq!(compare(left, right), expected, "{left} {right}");
        }
    }
}
