//! Patterns as users have them, both ways.

use super::*;

fn format(pattern: &str) -> SimpleDateFormat {
    SimpleDateFormat::new(pattern).unwrap()
}

#[test]
fn instants_are_written_by_every_letter() {
    // Friday, 23 August 2019, 14:34:54.346 UTC
    let instant = 1_566_570_894_346;
    for (pattern, expected) in [
        ("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "2019-08-23T14:34:54.346Z"),
        ("yyyy MM dd HH mm ss SSS z", "2019 08 23 14 34 54 346 UTC"),
        ("yyyyMMdd", "20190823"),
        ("yy y yyyyy", "19 2019 02019"),
        ("M MM MMM MMMM MMMMM L LLL", "8 08 Aug August August 8 Aug"),
        ("d dd ddd", "23 23 023"),
        ("E EEE EEEE u", "Fri Fri Friday 5"),
        ("a h hh K KK k kk H", "PM 2 02 2 02 14 14 14"),
        ("G", "AD"),
        ("D F w W YYYY", "235 4 34 4 2019"),
        ("S SS SSSSS", "346 346 00346"),
        ("z zzzz Z X XX XXX", "UTC Coordinated Universal Time +0000 Z Z Z"),
        ("'it''s' ''yyyy''", "it's '2019'"),
        ("", ""),
    ] {
        assert_eq!(format(pattern).format(instant), expected, "{pattern}");
    }
    for (instant, pattern, expected) in [
        (-1234, "yyyy MM dd HH mm ss SSS", "1969 12 31 23 59 58 766"),
        (0, "h K k H a", "12 0 24 0 AM"),
        (-62_198_755_200_000, "yyyy G", "0002 BC"),
        (1_483_425_001_864, "yyyy-MM-dd'T'HH", "2017-01-03T06"),
        // the last Sunday of 2023 begins the first week of 2024
        (1_703_980_800_000, "YYYY-ww", "2024-01"),
        (i64::MAX, "yyyy", "292278994"),
    ] {
        assert_eq!(format(pattern).format(instant), expected, "{instant} {pattern}");
    }
}

#[test]
fn texts_are_read_leniently() {
    const DAY: i64 = 86_400_000;
    for (pattern, text, expected) in [
        (
            "yyyy MM dd HH mm ss SSS z",
            "1970 01 02 00 00 01 234 UTC",
            Some(DAY + 1234),
        ),
        ("yyyy-MM-dd", "1970-01-02 and more", Some(DAY)),
        ("yyyy-MM-dd", "1970-1-2", Some(DAY)),
        ("yyyy-MM-dd", "1970-01-32", Some(31 * DAY)),
        ("yyyyMMdd", "19700102", Some(DAY)),
        ("yyyyMMdd", "1970010", Some(-DAY)),
        ("yyyyMMdd", "197001", None),
        ("HHmmssSSS", "010203004", Some(3_723_004)),
        ("yyyy", "x", None),
        ("yyyy", "", None),
        ("yyyy-MM", "1970/01", None),
        (
            "EEE, dd MMM yyyy HH:mm:ss zzz",
            "Fri, 02 Jan 1970 00:00:00 GMT",
            Some(DAY),
        ),
        ("dd MMMM yyyy", "2 january 1970", Some(DAY)),
        ("dd-MMM-yy", "02-Jan-70", Some(DAY)),
        ("yy", "1970", Some(0)),
        ("hh:mm a", "12:30 AM", Some(30 * 60_000)),
        ("hh:mm a", "01:30 pm", Some(48_600_000)),
        ("kk", "24", Some(0)),
        ("yyyy-MM-dd'T'HH:mm:ssX", "1970-01-01T01:00:00+01", Some(0)),
        (
            "yyyy-MM-dd'T'HH:mm:ssXXX",
            "1970-01-01T00:00:00-01:30",
            Some(5_400_000),
        ),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "1970-01-01T00:00:00Z", Some(0)),
        ("HH:mm Z", "01:00 +0100", Some(0)),
        ("HH:mm z", "01:00 CET", Some(0)),
        ("HH:mm z", "01:00 GMT+1:00", Some(0)),
        ("HH:mm z", "01:00 XYZ", None),
        ("DDD yyyy", "002 1970", Some(DAY)),
        ("yyyy G", "0001 BC", Some(-62_198_755_200_000 + 366 * DAY)),
        ("YYYY-'W'ww-u", "1970-W01-5", Some(DAY)),
        ("SSS", "-5", Some(-5)),
        ("ss.SSS", "1.2345", Some(3345)),
        ("é HH", "é 01", Some(3_600_000)),
        ("HH", "٠١", Some(3_600_000)),
    ] {
        assert_eq!(format(pattern).parse(text), expected, "{pattern} on {text:?}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let format = format("yyyy-MM-dd HH:mm:ss.SSS G");
    for instant in (-80_000_000_000_000_i64..80_000_000_000_000).step_by(987_654_321_987) {
        assert_eq!(format.parse(&format.format(instant)), Some(instant));
    }
}

#[test]
fn two_digits_mean_the_nearest_century() {
    let year = |text: &str| format("yyyy").format(format("yy").parse(text).unwrap());
    let now = SimpleDateFormat::new("yyyy").unwrap().format(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis()
            .try_into()
            .unwrap(),
    );
    let now: i64 = now.parse().unwrap();
    for distance in [-79, -20, 0, 19] {
        let wanted = now + distance;
        assert_eq!(year(&format!("{:02}", wanted % 100)), wanted.to_string());
    }
}

#[test]
fn wrong_patterns_are_refused_in_java_s_words() {
    for (pattern, message) in [
        ("yyyy-MM-ddThh", "Illegal pattern character 'T'"),
        ("b", "Illegal pattern character 'b'"),
        ("yyyy 'x", "Unterminated quote"),
        ("XXXX", "invalid ISO 8601 format: length=4"),
    ] {
        let error = SimpleDateFormat::new(pattern).unwrap_err();
        assert_eq!(
            (error.message(), error.class()),
            (message, "java.lang.IllegalArgumentException")
        );
    }
}
