//! The matrix of forms, precisions, and what becomes of schemas.

use super::*;
use crate::options::config;

const FORMAT_TEXT: &str = "yyyy MM dd HH mm ss SSS z";

fn convert<const N: usize>(pairs: [(&str, &str); N], record: Record) -> Result<Record> {
    let mut transformation = TimestampConverter::new(Side::Value);
    transformation.configure(&config(pairs))?;
    Ok(transformation.applied(record)?.unwrap())
}

fn to(target: &str, schema: Option<SchemaRef>, value: Value) -> Value {
    let pairs = [("target.type", target), ("format", FORMAT_TEXT)];
    let changed = convert(pairs, Record::sink("t", 0, 0).with_value(schema.clone(), value)).unwrap();
    assert_eq!(changed.value_schema.is_some(), schema.is_some());
    if let Some(schema) = changed.value_schema {
        wharf_api::structs::check(&schema, &changed.value).unwrap();
    }
    changed.value
}

#[test]
fn every_form_becomes_every_other() {
    const DAY: i64 = MILLIS_PER_DAY;
    let rows = [
        (logical::timestamp(), Value::Date(86_401_234), 86_401_234),
        (Schema::int64(), 86_401_234_i64.into(), 86_401_234),
        (Schema::string(), "1970 01 02 00 00 01 234 UTC".into(), 86_401_234),
        (logical::date(), Value::Date(DAY), DAY),
        (logical::time(), Value::Date(1234), 1234),
        (Schema::int64(), (-1234_i64).into(), -1234),
    ];
    for (schema, value, instant) in rows {
        let texts = SimpleDateFormat::new(FORMAT_TEXT).unwrap();
        for (target, expected) in [
            ("Timestamp", Value::Date(instant)),
            ("Date", Value::Date(instant.div_euclid(DAY) * DAY)),
            ("Time", Value::Date(instant.rem_euclid(DAY))),
            ("unix", instant.into()),
            ("string", texts.format(instant).into()),
        ] {
            assert_eq!(
                to(target, Some(SchemaRef::clone(&schema)), value.clone()),
                expected
            );
            assert_eq!(to(target, None, value.clone()), expected);
        }
    }
    assert_eq!(to("Date", None, Value::Null), Value::Null);
}

#[test]
fn numbers_are_of_the_unit_that_is_set() {
    let unix = |precision: &str, target: &str, value: Value| {
        let pairs = [("target.type", target), ("unix.precision", precision)];
        convert(pairs, Record::sink("t", 0, 0).with_value(None, value))
            .unwrap()
            .value
    };
    for (precision, written, read, negative) in [
        ("nanoseconds", 86_401_234_000_000_i64, 86_401_234, 0),
        ("microseconds", 86_401_234_000, 86_401_234_567, -1),
        ("milliseconds", 86_401_234, 86_401_234_567_891, -1500),
        ("seconds", 86_401, 86_401_234_567_891_000, -1_500_000),
    ] {
        assert_eq!(unix(precision, "unix", Value::Date(86_401_234)), written.into());
        assert_eq!(
            unix(precision, "Timestamp", 86_401_234_567_891_i64.into()),
            Value::Date(read)
        );
        assert_eq!(
            unix(precision, "Timestamp", (-1500_i64).into()),
            Value::Date(negative)
        );
    }
    assert_eq!(
        unix("seconds", "Timestamp", i64::MAX.into()),
        Value::Date(i64::MAX)
    );
}

#[test]
fn a_field_changes_and_others_are_copied() {
    let start = SchemaBuilder::structure()
        .name("n")
        .optional()
        .field(
            "ts",
            SchemaBuilder::int64()
                .optional()
                .default_value(5_i64)
                .build()
                .unwrap(),
        )
        .field("other", Schema::string());
    let default = Struct::new(start.clone().build().unwrap())
        .unwrap()
        .with("other", "d")
        .unwrap();
    let schema = start.default_value(default).build().unwrap();
    let value = Struct::new(SchemaRef::clone(&schema))
        .unwrap()
        .with("other", "x")
        .unwrap();
    let record = Record::sink("t", 0, 0).with_value(Some(schema), value);
    let pairs = [("field", "ts"), ("target.type", "Timestamp")];
    let changed = convert(pairs, record.clone()).unwrap();
    let schema = changed.value_schema.unwrap();
    assert_eq!((schema.name(), schema.is_optional()), (Some("n"), true));
    assert_eq!(
        schema.field("ts").unwrap().unwrap().schema(),
        &logical::optional_timestamp()
    );
    assert_eq!(
        changed.value.as_struct().unwrap().values(),
        [Value::Date(5), "x".into()]
    );
    let default = schema.default_value().unwrap().as_struct().unwrap();
    assert_eq!(default.values(), [Value::Date(5), "d".into()]);
    let kept = [
        ("field", "ts"),
        ("target.type", "Timestamp"),
        ("replace.null.with.default", "false"),
    ];
    assert!(convert(kept, record).unwrap().value.as_struct().unwrap().values()[0].is_null());
}

#[test]
fn mistakes_are_refused_in_upstream_s_words() {
    for (pairs, message) in [
        (
            [("target.type", "string"), ("format", " ")],
            "TimestampConverter requires format option to be specified when using string timestamps",
        ),
        (
            [("target.type", "string"), ("format", "b")],
            "Invalid value java.lang.IllegalArgumentException: Illegal pattern character 'b' for configuration \
             TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: b",
        ),
        (
            [("target.type", "invalid"), ("format", "")],
            "Invalid value invalid for configuration target.type: String must be one of: string, unix, Date, Time, \
             Timestamp",
        ),
    ] {
        let error = convert(pairs, Record::sink("t", 0, 0)).unwrap_err();
        assert_eq!(error.message(), message);
    }
    let pairs = [("target.type", "Timestamp"), ("format", "yyyy")];
    for (schema, value, message) in [
        (
            None,
            Value::from("nope"),
            "Could not parse timestamp: value (nope) does not match pattern (yyyy)",
        ),
        (
            None,
            true.into(),
            "TimestampConverter does not support class java.lang.Boolean objects as timestamps",
        ),
        (
            Some(Schema::int32()),
            1.into(),
            "Schema Schema{INT32} does not correspond to a known timestamp type format",
        ),
    ] {
        let record = Record::sink("t", 0, 0).with_value(schema, value);
        assert_eq!(convert(pairs, record).unwrap_err().message(), message);
    }
    let record = Record::sink("t", 0, 0).with_value(None, "1970");
    let error = convert([("target.type", "Date")], record).unwrap_err();
    assert_eq!(error.class(), NULL_POINTER);
}
