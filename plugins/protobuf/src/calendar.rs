//! The dates of `google.type.Date`, which upstream writes by Java's calendar: Gregorian from 1582-10-15, Julian before.

use wharf_api::calendar::{date_of, days_of};

/// The day since 1970-01-01 of a date; `None` when there is no such date.
pub(crate) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=999_999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_of(year, month, day);
    (date_of(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree() {
        for (number, expected) in [
            (0, (1970, 1, 1)),
            (10_000, (1997, 5, 19)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
        ] {
            assert_eq!(date_of(number), expected);
            assert_eq!(days(expected.0, expected.1, expected.2), Some(number));
        }
        for (year, month, day) in [
            (2001, 2, 29),
            (2000, 13, 1),
            (0, 1, 1),
            (2000, 4, 31),
            (2000, 1, 0),
        ] {
            assert_eq!(days(year, month, day), None);
        }
    }
}
