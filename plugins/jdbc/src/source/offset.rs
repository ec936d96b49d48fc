//! Where a table was read to: source partitions and source offsets, as the JVM's connector stores them, so that its offsets go on.

use wharf_api::source::SourceOffsetChange;
use wharf_api::{ConnectError, OffsetMap, Result, Value, ValueRef};

const PROTOCOL: &str = "protocol";
const TABLE: &str = "table";
const QUERY: &str = "query";
const INCREMENTING: &str = "incrementing";
const TIMESTAMP: &str = "timestamp";
const TIMESTAMP_NANOS: &str = "timestamp_nanos";

/// An instant: seconds since the epoch, and nanoseconds after them.
pub(crate) type At = (i64, u32);

/// How far a table was read. Ordered as its rows are read: by time first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) timestamp: Option<At>,
    pub(crate) incrementing: Option<i64>,
}

impl Position {
    /// From a stored offset.
    pub(crate) fn of(offset: &OffsetMap) -> Self {
        let millis = offset.get(TIMESTAMP).and_then(whole);
        let nanos = offset
            .get(TIMESTAMP_NANOS)
            .and_then(whole)
            .and_then(|nanos| u32::try_from(nanos).ok());
        Self {
            incrementing: offset.get(INCREMENTING).and_then(whole),
            timestamp: millis.map(|millis| {
                let rest = u32::try_from(millis.rem_euclid(1_000)).unwrap_or(0) * 1_000_000;
                (millis.div_euclid(1_000), nanos.unwrap_or(rest))
            }),
        }
    }

    /// As it is stored, in the order of the JVM's connector.
    pub(crate) fn entries(&self) -> ([(&'static str, ValueRef<'static>); 3], usize) {
        let mut entries = [("", ValueRef::Null); 3];
        let mut count = 0;
        let mut add = |key, number| {
            entries[count] = (key, ValueRef::Int64(number));
            count += 1;
        };
        if let Some(number) = self.incrementing {
            add(INCREMENTING, number);
        }
        if let Some((seconds, nanos)) = self.timestamp {
            add(
                TIMESTAMP,
                seconds
                    .saturating_mul(1_000)
                    .saturating_add(i64::from(nanos / 1_000_000)),
            );
            add(TIMESTAMP_NANOS, nanos.into());
        }
        (entries, count)
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int64(number) => Some(*number),
        Value::Int32(number) => Some((*number).into()),
        _ => None,
    }
}

/// The source partition of a query.
pub(crate) fn of_query() -> OffsetMap {
    OffsetMap::new().with(QUERY, QUERY)
}

/// The source partition of a table, named in full.
pub(crate) fn of_table(in_full: &str) -> OffsetMap {
    OffsetMap::new().with(PROTOCOL, "1").with(TABLE, in_full)
}

/// What old versions of the JVM's connector stored it under, and what bulk reads still have.
pub(crate) fn of_table_by_name(name: &str) -> OffsetMap {
    OffsetMap::new().with(TABLE, name)
}

/// Checks offsets that a user wants to have.
///
/// # Errors
/// With what is wrong with the first that cannot be.
pub(crate) fn check(changes: &[SourceOffsetChange]) -> Result<()> {
    for (partition, offset) in changes {
        check_partition(partition)?;
        let Some(offset) = offset else { continue };
        for (key, value) in offset.iter() {
            if ![INCREMENTING, TIMESTAMP, TIMESTAMP_NANOS].contains(&key) {
                return Err(ConnectError::connect(format!(
                    "offsets of this connector have the keys {INCREMENTING}, {TIMESTAMP} and {TIMESTAMP_NANOS}, and not '{key}'"
                )));
            }
            let Some(number) = whole(value) else {
                return Err(ConnectError::connect(format!(
                    "the offset's '{key}' has to be a whole number"
                )));
            };
            if key == TIMESTAMP_NANOS && !(0..1_000_000_000).contains(&number) {
                return Err(ConnectError::connect(format!(
                    "the offset's '{key}' has to be from 0 to 999999999: it counts within the second"
                )));
            }
        }
    }
    Ok(())
}

fn check_partition(partition: &OffsetMap) -> Result<()> {
    let text = |key: &str| matches!(partition.get(key), Some(Value::String(text)) if !text.is_empty());
    let of_query = partition.len() == 1 && text(QUERY);
    let of_table = text(TABLE) && (partition.len() == 1 || partition.len() == 2 && text(PROTOCOL));
    if of_query || of_table {
        return Ok(());
    }
    Err(ConnectError::connect(format!(
        "source partitions of this connector are {{\"{PROTOCOL}\":\"1\",\"{TABLE}\":\"schema.table\"}} or {{\"{QUERY}\":\"{QUERY}\"}}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(position: Position) -> OffsetMap {
        let (entries, count) = position.entries();
        entries[..count]
            .iter()
            .fold(OffsetMap::new(), |map, (key, value)| {
                map.with(*key, value.to_value())
            })
    }

    #[test]
    fn a_position_comes_back_as_it_was_stored() {
        for position in [
            Position::default(),
            Position {
                incrementing: Some(7),
                timestamp: None,
            },
            Position {
                incrementing: Some(-1),
                timestamp: Some((1_700_000_000, 123_456_789)),
            },
            Position {
                incrementing: None,
                timestamp: Some((-1, 999_999_999)),
            },
        ] {
            assert_eq!(Position::of(&stored(position)), position);
        }
        let by_jvm = OffsetMap::new()
            .with("timestamp_nanos", Value::Int64(5_000))
            .with("timestamp", Value::Int64(1_000));
        assert_eq!(Position::of(&by_jvm).timestamp, Some((1, 5_000)));
        let old = OffsetMap::new().with("timestamp", Value::Int64(1_234));
        assert_eq!(Position::of(&old).timestamp, Some((1, 234_000_000)));
    }

    #[test]
    fn offsets_that_mean_nothing_are_refused() {
        let table = of_table("public.orders");
        let good = OffsetMap::new().with(INCREMENTING, Value::Int64(4));
        check(&[
            (table.clone(), Some(good.clone())),
            (of_query(), None),
            (of_table_by_name("t"), Some(good)),
        ])
        .unwrap();
        for (partition, offset, said) in [
            (OffsetMap::new().with("file", "x"), None, "source partitions"),
            (
                table.clone(),
                Some(OffsetMap::new().with("position", Value::Int64(1))),
                "'position'",
            ),
            (
                table.clone(),
                Some(OffsetMap::new().with(INCREMENTING, "four")),
                "whole number",
            ),
            (
                table,
                Some(OffsetMap::new().with(TIMESTAMP_NANOS, Value::Int64(1_000_000_000))),
                "within the second",
            ),
        ] {
            let error = check(&[(partition, offset)]).unwrap_err();
            assert!(error.message().contains(said), "{error}");
        }
    }
}
