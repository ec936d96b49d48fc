//! Tests of the built-in validators: accepted and refused values, messages, display texts.

use super::*;

fn list(items: &[&str]) -> ParsedValue {
    ParsedValue::List(items.iter().map(|item| (*item).to_owned()).collect())
}

fn check(validator: &Validator, value: impl Into<ParsedValue>) -> Option<String> {
    validator
        .ensure_valid("k", &value.into())
        .err()
        .map(|error| error.message().to_owned())
}

#[test]
fn good_values_pass() {
    let cases: Vec<(Validator, Vec<ParsedValue>)> = vec![
        (
            Validator::between(0, 10),
            vec![0.into(), 1.into(), 5.into(), 9.into(), 10.into()],
        ),
        (Validator::between(0.5, 1.0), vec![0.5.into(), 1.0.into()]),
        (
            Validator::one_of(["good", "values", "default"]),
            vec!["good".into(), "default".into()],
        ),
        (
            Validator::one_of_ignore_case(["good", "values"]),
            vec!["gOOd".into(), "VALUES".into()],
        ),
        (Validator::list_of(["a", "b"]), vec![list(&[]), list(&["b", "a"])]),
        (
            Validator::distinct_list(false, true),
            vec![ParsedValue::Null, list(&["x"])],
        ),
        (Validator::NonNull, vec!["".into()]),
        (Validator::NonEmptyString, vec![ParsedValue::Null, " ".into()]),
        (
            Validator::NonEmptyStringWithoutControlChars,
            vec![
                ParsedValue::Null,
                "test/test".into(),
                "+1".into(),
                " ".into(),
                "\u{1f600}é".into(),
            ],
        ),
        (Validator::ListSize(2), vec![list(&["a", "b"])]),
        (Validator::NonEmptyList, vec![list(&["a"])]),
        (Validator::Described("whatever".into()), vec![ParsedValue::Null]),
    ];
    for (validator, values) in cases {
        for value in values {
            assert_eq!(validator.ensure_valid("k", &value), Ok(()), "{validator} {value}");
        }
    }
}

#[test]
fn bad_values_are_refused_in_the_words_of_kafka() {
    let range = Validator::between(0, 10);
    let texts = Validator::one_of(["a", "b"]);
    let any_case = Validator::one_of_ignore_case(["a", "b"]);
    let control = Validator::NonEmptyStringWithoutControlChars;
    let cases: Vec<(&Validator, ParsedValue, &str)> = vec![
        (
            &range,
            (-1).into(),
            "Invalid value -1 for configuration k: Value must be at least 0",
        ),
        (
            &range,
            11.into(),
            "Invalid value 11 for configuration k: Value must be no more than 10",
        ),
        (
            &range,
            ParsedValue::Null,
            "Invalid value null for configuration k: Value must be non-null",
        ),
        (
            &texts,
            "A".into(),
            "Invalid value A for configuration k: String must be one of: a, b",
        ),
        (
            &texts,
            ParsedValue::Null,
            "Invalid value null for configuration k: String must be one of: a, b",
        ),
        (
            &any_case,
            "c".into(),
            "Invalid value c for configuration k: String must be one of (case insensitive): A, B",
        ),
        (
            &Validator::NonNull,
            ParsedValue::Null,
            "Invalid value null for configuration k: entry must be non null",
        ),
        (
            &Validator::NonEmptyString,
            "".into(),
            "Invalid value  for configuration k: String must be non-empty",
        ),
        (
            &control,
            "".into(),
            "Invalid value  for configuration k: String may not be empty",
        ),
        (
            &control,
            "a\u{1}\tb".into(),
            "Invalid value a\u{1}\tb for configuration k: String may not contain control sequences but had the \
             following ASCII chars: 1, 9",
        ),
        (
            &Validator::ListSize(1),
            list(&["a", "b"]),
            "Invalid value [a, b] for configuration k: exceeds maximum list size of [1].",
        ),
        (
            &Validator::NonEmptyList,
            list(&[]),
            "Invalid value [] for configuration k: Empty list",
        ),
    ];
    for (validator, value, message) in cases {
        assert_eq!(check(validator, value).as_deref(), Some(message));
    }
}

#[test]
fn lists_refuse_null_empty_repeated_and_foreign_items() {
    let some = Validator::ListOf {
        items: vec!["a".into()],
        empty_allowed: false,
        null_allowed: false,
    };
    let cases = [
        (ParsedValue::Null, "Configuration 'k' values must not be null."),
        (
            list(&[]),
            "Configuration 'k' must not be empty. Valid values include: [a]",
        ),
        (
            list(&["a", "a"]),
            "Configuration 'k' values must not be duplicated.",
        ),
        (list(&["a", ""]), "Configuration 'k' values must not be empty."),
        (
            list(&["b"]),
            "Invalid value b for configuration k: String must be one of: a",
        ),
    ];
    for (value, message) in cases {
        assert_eq!(check(&some, value).as_deref(), Some(message));
    }
    assert_eq!(
        check(&Validator::distinct_list(false, false), list(&[])).as_deref(),
        Some("Configuration 'k' must not be empty. Valid values include: any non-empty value")
    );
}

#[test]
fn display_texts_are_those_of_kafka() {
    let cases = [
        (Validator::Range { min: None, max: None }, "[...]"),
        (Validator::at_least(1), "[1,...]"),
        (Validator::between(1, 5), "[1,...,5]"),
        (Validator::between(0.5, 1.0), "[0.5,...,1.0]"),
        (
            Validator::Range {
                min: None,
                max: Some(5.into()),
            },
            "[...,5]",
        ),
        (Validator::one_of(["a", "b"]), "[a, b]"),
        (
            Validator::one_of_ignore_case(["a", "b"]),
            "(case insensitive) [A, B]",
        ),
        (Validator::list_of(["a"]), "[a]"),
        (Validator::distinct_list(false, true), ""),
        (
            Validator::All(vec![Validator::NonNull, Validator::NonEmptyString]),
            "non-null string, non-empty string",
        ),
        (Validator::ListSize(3), "List containing maximum of 3 elements"),
    ];
    for (validator, text) in cases {
        assert_eq!(validator.to_string(), text);
    }
}

#[test]
fn the_first_failing_check_of_several_speaks() {
    let never = Validator::custom("never", |name, value| {
        Err(ConnectError::invalid_config(name, value, "never right"))
    });
    let all = Validator::All(vec![Validator::NonNull, never]);
    assert!(check(&all, ParsedValue::Null).is_some_and(|text| text.ends_with("entry must be non null")));
    assert!(check(&all, "x").is_some_and(|text| text.ends_with("never right")));
}
