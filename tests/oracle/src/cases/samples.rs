//! Schemas and values that several tables use.

use wharf_api::{Decimal, Schema, SchemaRef, Value, logical};

use super::{array, built, fields, map, structure};

/// One plain schema per type, in the order of the types.
pub(super) fn schemas() -> Vec<SchemaRef> {
    vec![
        Schema::int8(),
        Schema::int16(),
        Schema::int32(),
        Schema::int64(),
        Schema::float32(),
        Schema::float64(),
        Schema::boolean(),
        Schema::string(),
        Schema::bytes(),
        array(Schema::int32()),
        map(Schema::string(), Schema::int32()),
        point(),
    ]
}

/// The four logical types.
pub(super) fn logicals() -> Vec<SchemaRef> {
    vec![
        logical::decimal(2),
        logical::date(),
        logical::time(),
        logical::timestamp(),
    ]
}

/// A struct of a number and a text.
pub(super) fn point() -> SchemaRef {
    built(fields(&[
        ("x", Schema::int32()),
        ("label", Schema::optional_string()),
    ]))
}

/// All values of the classes that are asked for, and one of each other class: enough to see that it is refused.
pub(super) fn mostly(wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut others = std::collections::BTreeSet::new();
    values()
        .into_iter()
        .filter(|value| wanted(value) || others.insert(value.java_class()))
        .collect()
}

/// A value of each class, the edges of the numbers included.
pub(super) fn values() -> Vec<Value> {
    let mut values = vec![
        Value::Null,
        true.into(),
        false.into(),
        i8::MIN.into(),
        i8::MAX.into(),
        i16::MIN.into(),
        i16::MAX.into(),
        i32::MIN.into(),
        i32::MAX.into(),
        300_i32.into(),
        i64::MIN.into(),
        i64::MAX.into(),
        4_294_967_296_i64.into(),
    ];
    values.extend(floats());
    values.extend(doubles());
    values.extend(["", "x", "a \"b\" \\c", "é😀\u{1}\n\t/\u{7f}\u{2028}"].map(Value::from));
    values.extend([&b""[..], b"test-string", b"\xff\x00\xfe"].map(Value::from));
    values.extend(
        [
            Decimal::new(156, 2),
            Decimal::new(-156, 2),
            Decimal::new(0, 0),
            Decimal::new(150, 2),
            Decimal::new(5, -3),
            Decimal::new(1, 10),
            Decimal::new(i128::MAX, 2),
            Decimal::new(99_999, 0),
        ]
        .map(Value::from),
    );
    values.extend(dates());
    values.extend(containers());
    values
}

/// 32-bit numbers whose text is the same in every version of Java.
pub(super) fn floats() -> Vec<Value> {
    [
        0.0,
        -0.0,
        0.5,
        -1.9,
        12.34,
        300.0,
        1e7,
        1e10,
        1e-3,
        1e-4,
        f32::MAX,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
    ]
    .map(Value::from)
    .to_vec()
}

/// 64-bit numbers whose text is the same in every version of Java.
pub(super) fn doubles() -> Vec<Value> {
    [
        0.0,
        -0.0,
        0.5,
        -1.9,
        1.0,
        1e6,
        9_999_999.0,
        1e7,
        1e-5,
        1e30,
        123_456_789.123_456_79,
        f64::MAX,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ]
    .map(Value::from)
    .to_vec()
}

/// Instants: the epoch, times of its day, days, days with time, before the epoch, before the Gregorian calendar.
pub(super) fn dates() -> Vec<Value> {
    const DAY: i64 = logical::MILLIS_PER_DAY;
    [
        0,
        1,
        14_400_000,
        DAY - 1,
        DAY,
        DAY + 1,
        10_000 * DAY,
        1_566_570_894_346,
        -1,
        -DAY,
        -10 * DAY - 1,
        -62_135_596_800_000,
        -99_999_999_999_999,
        253_402_300_800_000,
    ]
    .map(Value::Date)
    .to_vec()
}

/// Arrays, maps and structs.
pub(super) fn containers() -> Vec<Value> {
    let list = |items: Vec<Value>| Value::Array(items);
    vec![
        list(vec![]),
        list(vec![1.into(), 2.into()]),
        list(vec![1.into(), "x".into(), Value::Null, list(vec![true.into()])]),
        list(vec![Value::Date(0), (&b"\xff"[..]).into(), "\"\\".into()]),
        Value::Map(vec![]),
        Value::Map(vec![("k".into(), 1.into()), ("l".into(), Value::Null)]),
        Value::Map(vec![
            ("k".into(), 1.into()),
            (2.into(), "v".into()),
            ("n".into(), list(vec![])),
        ]),
        structure(&point(), vec![1.into(), "a".into()]),
        structure(&point(), vec![2.into(), Value::Null]),
    ]
}

/// Whether there are bytes in it, which Java compares and prints by their identity.
pub(super) fn holds_bytes(value: &Value) -> bool {
    match value {
        Value::Bytes(_) => true,
        Value::Array(items) => items.iter().any(holds_bytes),
        Value::Map(entries) => entries
            .iter()
            .any(|(key, value)| holds_bytes(key) || holds_bytes(value)),
        Value::Struct(inner) => inner.values().iter().any(holds_bytes),
        _ => false,
    }
}
