//! A table that is read in ranges of its key, by all tasks at once.
//!
//! Range `i` holds the `size` keys from `i * size` on, also below zero. Ranges go by turns over [`LANES`] lanes. A lane is a source partition
//! and is read in ascending order, so that one number says how far it was read. Lanes go by turns over tasks. There are as many lanes
//! whatever the size and the number of tasks: all offsets that a table may have can be found again.

use wharf_api::{ConnectError, OffsetMap, Result};

/// Divided evenly by most numbers of tasks that there are.
pub(crate) const LANES: u8 = 60;

/// The part of one task of several: those lanes whose number is this one modulo their count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    index: usize,
    count: usize,
}

impl Share {
    pub(crate) const ALL: Self = Self { index: 0, count: 1 };

    /// Those of that many tasks, one for each, as they are written in task configurations.
    pub(crate) fn of_tasks(count: usize) -> impl Iterator<Item = String> {
        (0..count).map(move |index| format!("{index}/{count}"))
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        text.split_once('/')
            .and_then(|(index, count)| {
                Some(Self {
                    index: index.parse().ok()?,
                    count: count.parse().ok()?,
                })
            })
            .filter(|share| share.index < share.count)
            .ok_or_else(|| ConnectError::config(format!("'{text}' is no part of a task")))
    }

    /// The lanes of the table of this name in full. Those of each table are shifted, or small ones would all be one task's; by the name
    /// alone, so that no lane goes to another task when there are other tables.
    pub(crate) fn lanes(self, in_full: &str) -> impl Iterator<Item = u8> + use<> {
        let shift = shift(in_full);
        (0..LANES).filter(move |lane| (usize::from(*lane) + shift) % self.count == self.index)
    }
}

/// A number below [`LANES`] that is always the same for a text: FNV-1a, stirred once more, since the last letters move few of its bits.
fn shift(text: &str) -> usize {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let stirred = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from((stirred >> 32) % u64::from(LANES)).unwrap_or(0)
}

/// A lane of the task.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) number: u8,
    pub(crate) partition: OffsetMap,
    /// Its rows up to this key were read. Beyond the bounds of i64 by one at most.
    done: i128,
}

impl Lane {
    pub(crate) fn new(number: u8, partition: OffsetMap, done: i64) -> Self {
        Self {
            number,
            partition,
            done: done.into(),
        }
    }
}

/// What is read by one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Index among the lanes of the task.
    pub(crate) lane: usize,
    /// Nothing for all from the least on.
    pub(crate) after: Option<i64>,
    pub(crate) last: i64,
}

/// The lanes of a table that are one task's.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) size: i64,
    pub(crate) lanes: Vec<Lane>,
    /// Whether the table is to be read as a whole as soon as all rows that were read are known to be stored.
    pub(crate) retires: bool,
    /// Whether a row was read since the start.
    pub(crate) has_read: bool,
}

impl Split {
    /// Begins below all keys.
    pub(crate) fn begin_anew(&mut self) {
        for lane in &mut self.lanes {
            lane.done = i128::from(i64::MIN) - 1;
        }
    }

    /// All lanes were read up to this key; nothing when some keys may be below all that were.
    pub(crate) fn done(&self) -> Option<i64> {
        let least = self.lanes.iter().map(|lane| lane.done).min();
        least.and_then(|least| i64::try_from(least).ok())
    }

    /// The greatest key of which it is known that the lanes were read up to it.
    pub(crate) fn furthest(&self) -> Option<i64> {
        let most = self.lanes.iter().map(|lane| lane.done).max();
        most.and_then(|most| i64::try_from(most).ok())
    }

    /// So many rows of the lane were read, and all up to this key.
    pub(crate) fn was_read(&mut self, lane: usize, reached: Option<i64>, rows: u64) {
        self.has_read |= rows > 0;
        if let Some(key) = reached {
            let done = &mut self.lanes[lane].done;
            *done = (*done).max(key.into());
        }
    }

    /// There is nothing between what was read last and this key.
    pub(crate) fn nothing_before(&mut self, key: i64) {
        self.all_to(i128::from(key) - 1);
    }

    /// All that there is up to this key was read.
    pub(crate) fn all_read_to(&mut self, key: i64) {
        self.all_to(key.into());
    }

    fn all_to(&mut self, key: i128) {
        for lane in &mut self.lanes {
            lane.done = lane.done.max(key);
        }
    }

    /// The first range that may have rows up to this key which were not read, as far as it was not read.
    pub(crate) fn next(&self, last: i64) -> Option<Piece> {
        let last = i128::from(last);
        let size = i128::from(self.size);
        let pieces = self.lanes.iter().enumerate().filter_map(|(index, lane)| {
            let first = lane.done + 1;
            let at = first.div_euclid(size);
            let range = at + (i128::from(lane.number) - at).rem_euclid(LANES.into());
            let first = first.max(range * size);
            (first <= last).then(|| (first, index, last.min(range * size + size - 1)))
        });
        let (first, lane, last) = pieces.min()?;
        Some(Piece {
            lane,
            after: i64::try_from(first - 1).ok(),
            last: i64::try_from(last).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ops::Bound;

    use proptest::prelude::*;

    use super::*;

    fn split(size: i64, share: Share, done: i64) -> Split {
        of_table("t", size, share, done)
    }

    fn of_table(in_full: &str, size: i64, share: Share, done: i64) -> Split {
        let lanes = share.lanes(in_full);
        Split {
            size,
            lanes: lanes
                .map(|lane| Lane::new(lane, OffsetMap::new(), done))
                .collect(),
            retires: false,
            has_read: false,
        }
    }

    /// The pieces of a pass, each with its first key where it has one.
    fn pass(split: &mut Split, last: i64) -> Vec<(Option<i64>, i64)> {
        let mut pieces = Vec::new();
        while let Some(piece) = split.next(last) {
            split.was_read(piece.lane, Some(piece.last), 1);
            pieces.push((piece.after, piece.last));
            assert!(pieces.len() < 1_000, "{pieces:?}");
        }
        pieces
    }

    #[test]
    fn tasks_have_each_lane_once_and_about_equally_many() {
        for count in [1, 2, 3, 7, 16, 60] {
            for table in ["", "t", "public.orders", "Größe"] {
                let shares: Vec<Vec<u8>> = Share::of_tasks(count)
                    .map(|text| Share::parse(&text).unwrap().lanes(table).collect())
                    .collect();
                let mut all = shares.concat();
                all.sort_unstable();
                assert_eq!(all, (0..LANES).collect::<Vec<u8>>());
                let sizes = shares.iter().map(Vec::len);
                assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
            }
        }
        for wrong in ["", "1", "2/2", "-1/2", "0/0"] {
            assert!(Share::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tables_begin_with_different_tasks_and_always_with_the_same_one() {
        assert_eq!(
            ["t", "public.orders", "public.orders_2", "shop.Größe"].map(shift),
            [23, 59, 44, 33]
        );
        for count in [2, 3, 5, 16] {
            let mut first = vec![0; count];
            for table in 0..1_000 {
                first[shift(&format!("public.table_{table}")) % count] += 1;
            }
            let fair = 1_000 / count;
            assert!(
                first.iter().all(|tables| (fair / 2..fair * 2).contains(tables)),
                "{first:?}"
            );
        }
    }

    #[test]
    fn ranges_are_aligned_and_follow_each_other_also_below_zero() {
        let mut whole = split(10, Share::ALL, -25);
        assert_eq!(
            pass(&mut whole, 5),
            [(Some(-25), -21), (Some(-21), -11), (Some(-11), -1), (Some(-1), 5)]
        );
        // The open range goes on, and new ones come.
        assert_eq!(pass(&mut whole, 5), []);
        assert_eq!(pass(&mut whole, 12), [(Some(5), 9), (Some(9), 12)]);
    }

    #[test]
    fn two_tasks_read_every_key_once_between_them() {
        let mut keys: Vec<i64> = Vec::new();
        for text in Share::of_tasks(2) {
            let mut part = split(7, Share::parse(&text).unwrap(), -1_000);
            for (after, last) in pass(&mut part, 1_000) {
                keys.extend(after.unwrap() + 1..=last);
            }
        }
        keys.sort_unstable();
        assert_eq!(keys, (-999..=1_000).collect::<Vec<i64>>());
    }

    #[test]
    fn keys_at_the_ends_of_64_bits_have_ranges() {
        let mut whole = split(i64::MAX, Share::ALL, 0);
        whole.begin_anew();
        assert_eq!(whole.done(), None);
        assert_eq!(
            pass(&mut whole, i64::MAX),
            [
                (None, i64::MIN),
                (Some(i64::MIN), -1),
                (Some(-1), i64::MAX - 1),
                (Some(i64::MAX - 1), i64::MAX)
            ]
        );
        assert_eq!(whole.next(i64::MAX), None);
        whole.all_read_to(i64::MAX);
        assert_eq!((whole.done(), whole.next(i64::MAX)), (Some(i64::MAX), None));
    }

    #[test]
    fn a_hole_is_passed_at_once() {
        let mut part = split(10, Share::parse("1/3").unwrap(), -1);
        part.nothing_before(i64::MAX - 1_000);
        let pieces = pass(&mut part, i64::MAX);
        assert!((33..=35).contains(&pieces.len()), "{pieces:?}");
        assert!(pieces[0].0 > Some(i64::MAX - 1_021), "{pieces:?}");
    }

    /// What one task reads of these keys, up to the last of them; with the number of statements.
    fn read(split: &mut Split, keys: &BTreeSet<i64>) -> (Vec<i64>, usize) {
        let (mut found, mut statements) = (Vec::new(), 0);
        let Some(&last) = keys.last() else {
            return (found, statements);
        };
        while let Some(piece) = split.next(last) {
            let after = piece.after.map_or(Bound::Unbounded, Bound::Excluded);
            let rows: Vec<i64> = keys
                .range((after, Bound::Included(piece.last)))
                .copied()
                .collect();
            split.was_read(piece.lane, Some(piece.last), 0);
            statements += 1;
            if rows.is_empty() {
                let mut rest = keys.range((Bound::Excluded(piece.last), Bound::Unbounded));
                match rest.next() {
                    Some(&next) => split.nothing_before(next),
                    None => split.all_read_to(last),
                }
            }
            found.extend(rows);
        }
        split.all_read_to(last);
        (found, statements)
    }

    proptest! {
        #[test]
        fn any_keys_are_read_once_in_any_ranges_by_any_number_of_tasks(
            keys in prop::collection::btree_set(prop_oneof![any::<i64>(), -500..500_i64], 0..60),
            more in prop::collection::btree_set(any::<i64>(), 0..20),
            size in prop_oneof![1..100_i64, 1..i64::MAX, Just(i64::MAX)],
            count in 1..8_usize,
            table in "[a-z]{1,4}",
        ) {
            let greatest = keys.last().copied();
            let more: BTreeSet<i64> = more.into_iter().filter(|key| Some(*key) > greatest).collect();
            let both: BTreeSet<i64> = keys.union(&more).copied().collect();
            let mut found = Vec::new();
            for share in Share::of_tasks(count) {
                let mut part = of_table(&table, size, Share::parse(&share).unwrap(), 0);
                part.begin_anew();
                for table in [&keys, &both] {
                    let (rows, statements) = read(&mut part, table);
                    // An empty range, and after it the next that is not, for each key at most.
                    prop_assert!(statements <= 2 * table.len() + 2, "{statements} for {}", table.len());
                    found.extend(rows);
                }
            }
            found.sort_unstable();
            prop_assert_eq!(found, both.into_iter().collect::<Vec<i64>>());
        }
    }
}
