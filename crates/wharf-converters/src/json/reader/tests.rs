//! What the reader takes, what it refuses, and its limits.

use super::*;

#[test]
fn strings_are_unescaped() {
    for (json, text) in [
        (r#""""#, ""),
        (
            r#""plain text, longer than eight bytes""#,
            "plain text, longer than eight bytes",
        ),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\uD83D\uDE00""#, "Aé😀"),
        ("\"é日😀 and more\"", "é日😀 and more"),
        (r#""1234567\n890""#, "1234567\n890"),
    ] {
        assert_eq!(Reader::new(json.as_bytes()).string().unwrap(), text);
    }
}

#[test]
fn malformed_text_is_refused() {
    for json in [
        "",
        " ",
        "nul",
        "nulls",
        "True",
        "tru",
        "'x'",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12G4\"",
        "\"a\nb\"",
        "NaN",
        "Infinity",
        "+1",
        ".5",
        "1.",
        "1.e5",
        "1e",
        "1e+",
        "-",
        "--1",
        "0x10",
        "12abc",
        "1}",
        "1]",
        "1,",
        "1f",
        "[",
        "[1",
        "[1,]",
        "[,1]",
        "[1,,2]",
        "[1 2]",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:2}",
        "[1}",
        "{\"a\":1]",
        "// c\n1",
        "/* c */1",
        "\u{feff}\u{feff}1",
        "]",
        "}",
        ",",
        ":",
        "\"\u{1}\"",
    ] {
        let error = Reader::new(json.as_bytes()).skip().expect_err(json);
        let text = "Converting byte[] to Kafka Connect data failed due to serialization error: ";
        assert_eq!(error.message(), text, "{json}");
    }
    for bytes in [
        &b"\"\xff\""[..],
        b"\"\xc3\"",
        b"\xff",
        b"\"\xed\xa0\x80\"",
        b"[\"a\", \"\x80\"]",
    ] {
        assert!(Reader::new(bytes).skip().is_err(), "{}", bytes.escape_ascii());
    }
    for lone in [r#""\ud83d""#, r#""\ud83dx""#, r#""\ud83d\u0041""#, r#""\ude00""#] {
        assert!(Reader::new(lone.as_bytes()).string().is_err(), "{lone}");
    }
}

#[test]
fn first_complete_value_ends_the_text() {
    for (json, value) in [
        ("1 2", "1"),
        (" [1, {\"a\": null}] junk", "[1, {\"a\": null}]"),
        ("{}}", "{}"),
        ("\"x\"y", "\"x\""),
        ("true]", "true"),
        ("\u{feff}007", "007"),
        ("null,", "null"),
        ("-0.5e+7\n", "-0.5e+7"),
    ] {
        assert_eq!(Reader::new(json.as_bytes()).skip().unwrap(), value.as_bytes());
    }
}

#[test]
fn nesting_is_limited_without_recursion() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(Reader::new(nested(MAX_DEPTH).as_bytes()).skip().is_ok());
    assert!(Reader::new(nested(MAX_DEPTH + 1).as_bytes()).skip().is_err());
    assert!(
        Reader::new("[{\"a\":".repeat(1_000_000).as_bytes())
            .skip()
            .is_err()
    );
}

#[test]
fn long_numbers_are_refused() {
    assert!(Reader::new("1".repeat(MAX_NUMBER).as_bytes()).skip().is_ok());
    assert!(Reader::new("1".repeat(MAX_NUMBER + 1).as_bytes()).skip().is_err());
}
