//! Where a table was read to: source partitions and source offsets, as the JVM's connector stores them, so that its offsets go on.

use wharf_api::source::SourceOffsetChange;
use wharf_api::{ConnectError, OffsetMap, Result, Value, ValueRef};

use super::config::Mode;

const PROTOCOL: &str = "protocol";
const TABLE: &str = "table";
const QUERY: &str = "query";
const INCREMENTING: &str = "incrementing";
const TIMESTAMP: &str = "timestamp";
const TIMESTAMP_NANOS: &str = "timestamp_nanos";
/// What tables that are read in ranges have: the number of a lane in the source partition, the size of ranges in the offset.
const LANE: &str = "lane";
const RANGE_SIZE: &str = "range_size";

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

    /// As it is stored, in the order of the JVM's connector; with the size of the ranges that a table is read in.
    pub(crate) fn entries(&self, range_size: Option<i64>) -> ([(&'static str, ValueRef<'static>); 4], usize) {
        let mut entries = [("", ValueRef::Null); 4];
        let mut count = 0;
        let mut add = |key, number| {
            entries[count] = (key, ValueRef::Int64(number));
            count += 1;
        };
        if let Some(number) = self.incrementing {
            add(INCREMENTING, number);
        }
        if let Some((seconds, nanos)) = self.timestamp {
            add(TIMESTAMP, millis((seconds, nanos)));
            add(TIMESTAMP_NANOS, nanos.into());
        }
        if let Some(size) = range_size {
            add(RANGE_SIZE, size);
        }
        (entries, count)
    }
}

/// Milliseconds since the epoch.
pub(crate) fn millis((seconds, nanos): At) -> i64 {
    seconds
        .saturating_mul(1_000)
        .saturating_add(i64::from(nanos / 1_000_000))
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

/// The source partition of a lane of a table, named in full.
pub(crate) fn of_lane(in_full: &str, lane: u8) -> OffsetMap {
    of_table(in_full).with(LANE, lane.to_string())
}

/// How far a lane was read, and the size of the ranges that it is one of.
pub(crate) fn lane_position(offset: &OffsetMap) -> Option<(i64, i64)> {
    let number = |key| offset.get(key).and_then(whole);
    number(INCREMENTING).zip(number(RANGE_SIZE))
}

/// Checks offsets that a user wants to have, where the mode is known against what it goes on from. Keys beside those may be there, as in
/// offsets that were stored in another mode.
///
/// # Errors
/// With what is wrong with the first that cannot be.
pub(crate) fn check(changes: &[SourceOffsetChange], mode: Option<Mode>) -> Result<()> {
    for (partition, offset) in changes {
        check_partition(partition)?;
        let Some(offset) = offset else { continue };
        let is_of_lane = partition.get(LANE).is_some();
        let keys: &[&str] = match is_of_lane {
            true => &[INCREMENTING, RANGE_SIZE],
            false => &[INCREMENTING, TIMESTAMP, TIMESTAMP_NANOS],
        };
        for (key, value) in offset.iter() {
            if !keys.contains(&key) {
                return Err(ConnectError::connect(format!(
                    "offsets of this source partition have the keys {}, and not '{key}'",
                    keys.join(", ")
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
            if key == RANGE_SIZE && number < 1 {
                return Err(ConnectError::connect(format!(
                    "the offset's '{key}' has to be 1 at least"
                )));
            }
        }
        if is_of_lane && lane_position(offset).is_none() {
            return Err(ConnectError::connect(format!(
                "the offset of a lane needs {INCREMENTING} and {RANGE_SIZE}"
            )));
        }
        let needed = match mode {
            Some(Mode::Bulk) => {
                return Err(ConnectError::connect(
                    "mode=bulk reads all rows each time and goes on from no offset: offsets can only be taken out, by null",
                ));
            }
            Some(Mode::Incrementing) => Some(INCREMENTING),
            Some(Mode::Timestamp | Mode::TimestampIncrementing) => Some(TIMESTAMP),
            None => None,
        };
        if let Some(needed) = needed.filter(|needed| offset.get(needed).is_none()) {
            return Err(ConnectError::connect(format!(
                "the offset has no '{needed}', which is what the connector's mode goes on from"
            )));
        }
    }
    Ok(())
}

fn check_partition(partition: &OffsetMap) -> Result<()> {
    let text = |key: &str| matches!(partition.get(key), Some(Value::String(text)) if !text.is_empty());
    let of_query = partition.len() == 1 && text(QUERY);
    let of_table = text(TABLE) && (partition.len() == 1 || partition.len() == 2 && text(PROTOCOL));
    let lane = match partition.get(LANE) {
        Some(Value::String(lane)) => lane
            .parse::<u8>()
            .ok()
            .filter(|number| number.to_string() == *lane),
        _ => None,
    };
    let of_lane = partition.len() == 3
        && text(TABLE)
        && text(PROTOCOL)
        && lane.is_some_and(|lane| lane < super::split::LANES);
    if of_query || of_table || of_lane {
        return Ok(());
    }
    Err(ConnectError::connect(format!(
        "source partitions of this connector are {{\"{PROTOCOL}\":\"1\",\"{TABLE}\":\"schema.table\"}}, with \"{LANE}\":\"0\" to \"{}\" where \
         tables are read in ranges, or {{\"{QUERY}\":\"{QUERY}\"}}",
        super::split::LANES - 1
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(position: Position) -> OffsetMap {
        let (entries, count) = position.entries(None);
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
        let of_ranges = |size: i64| good.clone().with(RANGE_SIZE, Value::Int64(size));
        let lane = of_lane("t", 7);
        let none = of_table("t").with(LANE, "60");
        let padded = of_table("t").with(LANE, "07");
        check(
            &[
                (table.clone(), Some(good.clone())),
                (of_query(), None),
                (of_table_by_name("t"), Some(good.clone())),
                (of_lane("t", 59), Some(of_ranges(1_000))),
                (of_lane("t", 0), None),
            ],
            None,
        )
        .unwrap();
        for (partition, offset, said) in [
            (OffsetMap::new().with("file", "x"), None, "source partitions"),
            (none, None, "to \"59\""),
            (padded, None, "to \"59\""),
            (lane.clone(), Some(of_ranges(0)), "1 at least"),
            (lane, Some(good.clone()), "needs incrementing and range_size"),
            (table.clone(), Some(of_ranges(10)), "'range_size'"),
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
            let error = check(&[(partition, offset)], None).unwrap_err();
            assert!(error.message().contains(said), "{error}");
        }
    }

    #[test]
    fn offsets_that_the_mode_does_not_go_on_from_are_refused() {
        let map = |keys: &[&str]| {
            keys.iter()
                .fold(OffsetMap::new(), |map, key| map.with(*key, Value::Int64(4)))
        };
        let refused = |mode, keys: &[&str]| {
            check(&[(of_table("t"), Some(map(keys)))], Some(mode)).map_err(|error| error.message().to_owned())
        };
        let all = [INCREMENTING, TIMESTAMP, TIMESTAMP_NANOS];
        assert!(refused(Mode::Bulk, &all).unwrap_err().contains("mode=bulk"));
        check(&[(of_table("t"), None)], Some(Mode::Bulk)).unwrap();
        for (mode, of_another, own) in [
            (Mode::Incrementing, TIMESTAMP, INCREMENTING),
            (Mode::Timestamp, INCREMENTING, TIMESTAMP),
            (Mode::TimestampIncrementing, INCREMENTING, TIMESTAMP),
        ] {
            assert!(
                refused(mode, &[of_another])
                    .unwrap_err()
                    .contains(&format!("no '{own}'"))
            );
            assert!(refused(mode, &[]).is_err());
            refused(mode, &[own]).unwrap();
            refused(mode, &all).unwrap();
        }
    }
}
