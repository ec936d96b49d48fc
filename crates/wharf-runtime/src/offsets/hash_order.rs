//! The order in which a `java.util.HashMap` of texts gives its entries.
//!
//! Java workers write the fields of a source partition in this order, and look partitions up by the bytes that come out. A
//! partition written here must have the same ones.

/// How a map's table starts, and how full it may become.
const FIRST_TABLE: usize = 16;

/// The size of the table of a map that was filled entry by entry.
#[must_use]
pub fn table_size(entries: usize) -> usize {
    let mut size = FIRST_TABLE;
    while entries * 4 > size * 3 {
        size *= 2;
    }
    size
}

/// `String.hashCode`, spread as `HashMap` does it.
fn spread_hash(text: &str) -> u32 {
    let hash = text.encode_utf16().fold(0_u32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(unit.into())
    });
    hash ^ (hash >> 16)
}

/// Sorts entries, given in order of insertion, by the map's order. Inside a bucket the order of insertion stays, so the
/// sort is stable. (Buckets of eight and more become trees in Java, which changes nothing a partition could show.)
pub fn sort<T>(entries: &mut [T], key: impl Fn(&T) -> &str) {
    let mask = table_size(entries.len()) - 1;
    entries.sort_by_key(|entry| spread_hash(key(entry)) as usize & mask);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_the_order_of_java_s_hash_map() {
        for (inserted, expected) in [
            (
                &["cluster", "topic", "partition"][..],
                &["cluster", "partition", "topic"][..],
            ),
            (
                &["kafka_topic", "kafka_partition"],
                &["kafka_partition", "kafka_topic"],
            ),
            (
                &["protocol", "table", "schema", "database", "server"],
                &["schema", "server", "protocol", "database", "table"],
            ),
            // The same hash: the order of insertion counts.
            (&["Aa", "BB"], &["Aa", "BB"]),
            (&["BB", "Aa"], &["BB", "Aa"]),
            (&["only"], &["only"]),
            (&[], &[]),
        ] {
            let mut keys = inserted.to_vec();
            sort(&mut keys, |key| key);
            assert_eq!(keys, expected);
        }
    }

    #[test]
    fn the_table_doubles_when_it_is_more_than_three_quarters_full() {
        for (entries, size) in [(0, 16), (12, 16), (13, 32), (24, 32), (25, 64), (1000, 2048)] {
            assert_eq!(table_size(entries), size, "{entries}");
        }
    }
}
