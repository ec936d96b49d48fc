//! Which dead letters are meant, and points in time as people write them.

use super::letter::DeadLetter;

/// Which dead letters are meant. What is absent selects all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Of this connector.
    pub connector: Option<String>,
    /// That failed at this stage, in any case of letters.
    pub stage: Option<String>,
    /// With this text in exception class or message, in any case of letters.
    pub reason: Option<String>,
    /// Not older, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Older, in milliseconds since 1970.
    pub until: Option<i64>,
    /// Only those that were sent again before.
    pub again: bool,
}

impl Selection {
    /// Whether this letter is meant. One without a timestamp is in no span of time.
    #[must_use]
    pub fn matches(&self, letter: &DeadLetter) -> bool {
        let failure = &letter.failure;
        let is_in_time = |holds: &dyn Fn(i64) -> bool| letter.timestamp.is_some_and(holds);
        self.connector
            .as_ref()
            .is_none_or(|wanted| failure.connector.as_ref() == Some(wanted))
            && self.stage.as_ref().is_none_or(|wanted| {
                failure
                    .stage
                    .as_ref()
                    .is_some_and(|stage| stage.eq_ignore_ascii_case(wanted))
            })
            && self.reason.as_ref().is_none_or(|wanted| {
                let wanted = wanted.to_lowercase();
                [&failure.exception_class, &failure.exception_message]
                    .into_iter()
                    .flatten()
                    .any(|text| text.to_lowercase().contains(&wanted))
            })
            && self.since.is_none_or(|since| is_in_time(&|at| at >= since))
            && self.until.is_none_or(|until| is_in_time(&|at| at < until))
            && (!self.again || failure.replays > 0)
    }
}

/// Reads a point in time: `90s`, `30m`, `2h`, `3d` before `now`, a date (its midnight in UTC), or date and time with a zone. In
/// milliseconds since 1970.
///
/// # Errors
/// What can be written instead.
pub fn parse_time(text: &str, now: i64) -> Result<i64, String> {
    let text = text.trim();
    let wrong = || {
        format!(
            "`{text}` is no point in time: write 90s, 30m, 2h or 3d (ago), 2026-11-21, or 2026-11-21T03:00:00Z"
        )
    };
    let unit = |letter: char| match letter {
        's' => Some(1_000),
        'm' => Some(60_000),
        'h' => Some(3_600_000),
        'd' => Some(86_400_000),
        _ => None,
    };
    if let Some((number, unit)) = text
        .chars()
        .next_back()
        .and_then(|last| Some((text.strip_suffix(last)?, unit(last)?)))
        && let Ok(number) = number.parse::<u32>()
    {
        return now.checked_sub(i64::from(number) * unit).ok_or_else(wrong);
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let is_date = text.len() == "2026-11-21".len();
    text.parse::<jiff::civil::Date>()
        .ok()
        .filter(|_| is_date)
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .map(|midnight| midnight.timestamp().as_millisecond())
        .ok_or_else(wrong)
}

/// A point in time as it is shown, in UTC to the millisecond.
#[must_use]
pub fn show_time(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| format!("{millis} ms"), |at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::letter;
    use super::*;

    #[test]
    fn letters_are_selected_by_who_where_why_when_and_whether_again() {
        let one = letter(
            0,
            1_000,
            &[
                ("e.connector.name", "sink"),
                ("e.stage", "VALUE_CONVERTER"),
                (
                    "e.exception.class.name",
                    "org.apache.kafka.connect.errors.DataException",
                ),
                ("e.exception.message", "Bad JSON"),
            ],
        );
        let again = letter(1, 2_000, &[("r.count", "1"), ("r.connector", "sink")]);
        let all = Selection::default();
        let text = |text: &str| Some(text.to_owned());
        for (selection, wanted) in [
            (all.clone(), [true, true]),
            (
                Selection {
                    connector: text("sink"),
                    ..all.clone()
                },
                [true, false],
            ),
            (
                Selection {
                    connector: text("sin"),
                    ..all.clone()
                },
                [false, false],
            ),
            (
                Selection {
                    stage: text("value_converter"),
                    ..all.clone()
                },
                [true, false],
            ),
            (
                Selection {
                    reason: text("dataexception"),
                    ..all.clone()
                },
                [true, false],
            ),
            (
                Selection {
                    reason: text("bad json"),
                    ..all.clone()
                },
                [true, false],
            ),
            (
                Selection {
                    reason: text("timeout"),
                    ..all.clone()
                },
                [false, false],
            ),
            (
                Selection {
                    since: Some(1_001),
                    ..all.clone()
                },
                [false, true],
            ),
            (
                Selection {
                    since: Some(1_000),
                    until: Some(2_000),
                    ..all.clone()
                },
                [true, false],
            ),
            (Selection { again: true, ..all }, [false, true]),
        ] {
            assert_eq!(
                [selection.matches(&one), selection.matches(&again)],
                wanted,
                "{selection:?}"
            );
        }
    }

    #[test]
    fn a_letter_without_a_timestamp_is_in_no_span_of_time() {
        let mut timeless = letter(0, 0, &[]);
        timeless.timestamp = None;
        let bound = |since, until| Selection {
            since,
            until,
            ..Selection::default()
        };
        assert!(bound(None, None).matches(&timeless));
        assert!(!bound(Some(0), None).matches(&timeless));
        assert!(!bound(None, Some(i64::MAX)).matches(&timeless));
    }

    #[test]
    fn points_in_time_are_read_as_people_write_them() {
        let now = 1_000_000_000;
        for (text, wanted) in [
            ("90s", Some(now - 90_000)),
            ("30m", Some(now - 1_800_000)),
            ("2h", Some(now - 7_200_000)),
            (" 3d ", Some(now - 259_200_000)),
            ("1970-01-02", Some(86_400_000)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-01T00:00:00.5Z", Some(500)),
            ("1970-01-01T00:00:00", None),
            ("yesterday", None),
            ("2ü", None),
            ("-2h", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text, now).ok(), wanted, "{text}");
        }
        assert_eq!(show_time(86_400_001), "1970-01-02T00:00:00.001Z");
    }
}
