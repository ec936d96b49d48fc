//! The order in which Java's `HashMap` and `HashSet` give what they hold.
//!
//! Upstream keeps properties and keywords of JSON schemas in hash maps, so their order is part of the text that it registers and
//! of the order of fields that it reads from schemas without `connect.index`. The order depends on nothing but the keys, the
//! order of insertion and the size of the table, so it can be computed. Buckets of eight and more keys, which Java turns into
//! trees, are the one case that is not reproduced.

/// How the table came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// `new HashMap<>()`, filled one by one.
    Grown,
    /// `new HashMap<>(otherMap)`.
    Copied,
    /// `new HashMap<>(n)` with `n` the number of keys, as `JSONObject(Map)` does, filled one by one.
    Sized,
}

/// `String.hashCode`.
fn string_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| {
        hash.wrapping_mul(31).wrapping_add(u32::from(unit))
    })
}

/// The number of buckets when `count` keys are in.
fn buckets(count: usize, table: Table) -> usize {
    match table {
        Table::Grown => {
            let mut capacity = 16;
            while count > capacity / 4 * 3 {
                capacity *= 2;
            }
            capacity
        }
        // The reserve is a float's sum, cut to an integer.
        Table::Copied => (count * 4 / 3 + 1).next_power_of_two(),
        Table::Sized => {
            let mut capacity = count.max(1).next_power_of_two();
            let mut threshold = capacity * 3 / 4;
            while count > threshold {
                capacity *= 2;
                threshold = capacity * 3 / 4;
            }
            capacity
        }
    }
}

/// The positions of `keys` (in their order of insertion) in the order of iteration. `None` is Java's null.
pub(crate) fn order(keys: &[Option<&str>], table: Table) -> Vec<usize> {
    let mask = buckets(keys.len(), table) - 1;
    let bucket = |position: &usize| {
        let hash = keys[*position].map_or(0, string_hash);
        (hash ^ (hash >> 16)) as usize & mask
    };
    let mut positions: Vec<usize> = (0..keys.len()).collect();
    positions.sort_by_key(bucket);
    positions
}

/// Sorts entries as a map of that kind would give them.
pub(crate) fn sort<T>(entries: Vec<(String, T)>, table: Table) -> Vec<(String, T)> {
    let keys: Vec<Option<&str>> = entries.iter().map(|(key, _)| Some(key.as_str())).collect();
    let order = order(&keys, table);
    let mut entries: Vec<Option<(String, T)>> = entries.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|position| entries[position].take())
        .collect()
}

/// Sorts entries as a map filled one by one, then copied, would give them.
pub(crate) fn sort_copied<T>(entries: Vec<(String, T)>) -> Vec<(String, T)> {
    sort(sort(entries, Table::Grown), Table::Copied)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(keys: &[&str], table: Table) -> Vec<String> {
        sort(keys.iter().map(|key| ((*key).to_owned(), ())).collect(), table)
            .into_iter()
            .map(|(key, ())| key)
            .collect()
    }

    #[test]
    fn order_is_that_of_a_jvm() {
        // Printed by Java 17: a grown map, its copy, and one with its size as initial capacity.
        for (keys, grown, copied, sized) in [
            (
                &[
                    "int8",
                    "int16",
                    "int32",
                    "int64",
                    "float32",
                    "float64",
                    "boolean",
                    "string",
                    "bytes",
                    "array",
                    "map",
                    "mapNonStringKeys",
                ][..],
                "boolean,string,int32,array,int64,bytes,int8,float32,float64,map,mapNonStringKeys,int16",
                "string,float32,float64,int16,boolean,int32,array,int64,bytes,int8,map,mapNonStringKeys",
                "boolean,string,int32,array,int64,bytes,int8,float32,float64,map,mapNonStringKeys,int16",
            ),
            (
                &[
                    "connect.type",
                    "connect.version",
                    "connect.parameters",
                    "connect.index",
                ],
                "connect.version,connect.index,connect.type,connect.parameters",
                "connect.index,connect.version,connect.type,connect.parameters",
                "connect.index,connect.version,connect.type,connect.parameters",
            ),
            (
                &["connect.type", "connect.index"],
                "connect.index,connect.type",
                "connect.index,connect.type",
                "connect.index,connect.type",
            ),
            (
                &["id", "name", "price", "created_at", "tags", "address"],
                "address,price,name,created_at,id,tags",
                "address,price,name,created_at,id,tags",
                "name,created_at,address,id,price,tags",
            ),
            (&["a", "b"], "a,b", "a,b", "a,b"),
            (&["scale"], "scale", "scale", "scale"),
            (
                &["scale", "connect.decimal.precision"],
                "scale,connect.decimal.precision",
                "scale,connect.decimal.precision",
                "scale,connect.decimal.precision",
            ),
            (
                &[
                    "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12", "f13", "f14",
                ],
                "f10,f12,f11,f14,f13,f1,f2,f3,f4,f5,f6,f7,f8,f9",
                "f10,f12,f11,f14,f13,f1,f2,f3,f4,f5,f6,f7,f8,f9",
                "f10,f12,f11,f14,f13,f1,f2,f3,f4,f5,f6,f7,f8,f9",
            ),
        ] {
            let keys: &[&str] = keys;
            let in_map = ordered(keys, Table::Grown);
            let again: Vec<&str> = in_map.iter().map(String::as_str).collect();
            assert_eq!(again.join(","), grown);
            assert_eq!(ordered(&again, Table::Copied).join(","), copied);
            assert_eq!(ordered(&again, Table::Sized).join(","), sized);
        }
    }

    #[test]
    fn strings_have_java_s_hash() {
        assert_eq!(string_hash("hello"), 99_162_322);
        // The classic collision.
        assert_eq!(string_hash("Aa"), string_hash("BB"));
    }

    #[test]
    fn tables_have_java_s_size() {
        for (count, grown, copied, sized) in [
            (0, 16, 1, 1),
            (1, 16, 2, 2),
            (2, 16, 4, 4),
            (3, 16, 8, 4),
            (4, 16, 8, 8),
            (6, 16, 16, 8),
            (12, 16, 32, 16),
            (13, 32, 32, 32),
        ] {
            assert_eq!(buckets(count, Table::Grown), grown, "{count}");
            assert_eq!(buckets(count, Table::Copied), copied, "{count}");
            assert_eq!(buckets(count, Table::Sized), sized, "{count}");
        }
    }

    #[test]
    fn iteration_goes_by_bucket_and_keeps_insertion_within_one() {
        assert_eq!(ordered(&["b", "a", "c"], Table::Grown), ["a", "b", "c"]);
        assert_eq!(ordered(&["BB", "Aa"], Table::Grown), ["BB", "Aa"]);
        assert_eq!(ordered(&["Aa", "BB"], Table::Grown), ["Aa", "BB"]);
        // 'p' is 112, a multiple of 16, and so comes before 'a'.
        assert_eq!(ordered(&["a", "p"], Table::Grown), ["p", "a"]);
    }
}
