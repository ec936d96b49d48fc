//! Conversions between values: the tables of the reference.

use super::*;
use crate::error::ErrorKind;

fn text(value: &str) -> Value {
    Value::from(value)
}

#[test]
fn integers_are_truncated_and_wrap() {
    for (value, byte) in [
        (Value::Int32(300), 44),
        (text("1.9"), 1),
        (text("300"), 44),
        (Value::Float64(-1.9), -1),
        (Value::Float64(1e30), -1),
        (Value::Float32(f32::NAN), 0),
        (Value::Decimal(Decimal::new(1999, 2)), 19),
    ] {
        assert_eq!(convert_to_byte(None, &value).unwrap(), Some(byte), "{value:?}");
    }
    assert_eq!(convert_to_short(None, &Value::Int32(65_537)).unwrap(), Some(1));
    assert_eq!(convert_to_integer(None, &Value::Int64(1 << 32)).unwrap(), Some(0));
    assert_eq!(convert_to_long(None, &text("-7")).unwrap(), Some(-7));
    assert_eq!(convert_to_long(None, &Value::Null).unwrap(), None);
    for value in [
        Value::Boolean(true),
        text("x"),
        text(""),
        Value::Array(vec![]),
        Value::Date(0),
    ] {
        assert!(convert_to_long(None, &value).is_err(), "{value:?}");
    }
    let error = convert_to_long(Some(&Schema::boolean()), &Value::Boolean(true)).unwrap_err();
    assert_eq!(
        error.message(),
        "Unable to convert true (class java.lang.Boolean) to Schema{BOOLEAN}"
    );
}

#[test]
fn dates_become_numbers_by_their_own_schema() {
    let day = 10_000 * MILLIS_PER_DAY;
    for (schema, millis, number) in [
        (logical::date(), day, 10_000),
        (logical::time(), 5, 5),
        (logical::timestamp(), day + 5, day + 5),
    ] {
        assert_eq!(
            convert_to_long(Some(&schema), &Value::Date(millis)).unwrap(),
            Some(number)
        );
    }
    assert!(convert_to_long(Some(&Schema::int32()), &Value::Date(0)).is_err());
}

#[test]
fn floating_point_numbers_may_become_infinite() {
    assert_eq!(
        convert_to_float(None, &text("1e400")).unwrap(),
        Some(f32::INFINITY)
    );
    assert_eq!(convert_to_double(None, &text("1.5")).unwrap(), Some(1.5));
    assert_eq!(convert_to_double(None, &Value::Int8(3)).unwrap(), Some(3.0));
    for value in ["NaN", "", "x"] {
        assert!(convert_to_double(None, &text(value)).is_err(), "{value}");
    }
}

#[test]
fn booleans_come_from_literals_and_numbers() {
    for (value, expected) in [
        (text("true"), true),
        (text("false"), false),
        (text("2"), true),
        (text("0.5"), false),
        (Value::Float64(0.5), false),
        (Value::Int8(2), true),
        (Value::Boolean(false), false),
    ] {
        assert_eq!(
            convert_to_boolean(None, &value).unwrap(),
            Some(expected),
            "{value:?}"
        );
    }
    for value in ["TRUE", "yes", ""] {
        assert!(convert_to_boolean(None, &text(value)).is_err(), "{value}");
    }
}

#[test]
fn containers_come_from_text_that_reads_as_one() {
    let items = vec![Value::Int8(1), Value::Int8(2)];
    assert_eq!(convert_to_list(None, &text("[1,2]")).unwrap(), items);
    assert_eq!(
        convert_to_list(None, &Value::Array(items.clone())).unwrap(),
        items
    );
    assert_eq!(
        convert_to_map(None, &text("{1:2}")).unwrap(),
        [(Value::Int8(1), Value::Int8(2))]
    );
    let error = convert_to_list(None, &text("x")).unwrap_err();
    assert_eq!(
        error.message(),
        "Unable to convert x (class java.lang.String) to Schema{ARRAY}"
    );
    assert!(convert_to_struct(None, &text("{}")).is_err());
    let schema = crate::SchemaBuilder::structure().build().unwrap();
    let value = Struct::new(schema).unwrap();
    assert_eq!(
        convert_to_struct(None, &Value::from(value.clone())).unwrap(),
        Box::new(value)
    );
}

#[test]
fn logical_types_turn_into_one_another() {
    let millis = 1_566_570_894_346;
    let day = 1_566_518_400_000;
    let (date, time, timestamp) = (logical::date(), logical::time(), logical::timestamp());
    let value = Value::Date(millis);
    assert_eq!(convert_to_date(Some(&timestamp), &value).unwrap(), day);
    assert_eq!(convert_to_time(Some(&timestamp), &value).unwrap(), millis - day);
    assert_eq!(convert_to_timestamp(Some(&date), &Value::Date(day)).unwrap(), day);
    assert_eq!(convert_to_timestamp(Some(&time), &Value::Date(5)).unwrap(), 5);
    assert_eq!(convert_to_date(None, &value).unwrap(), millis);
    assert_eq!(convert_to_date(None, &text("18131")).unwrap(), day);
    assert_eq!(convert_to_time(None, &text("5")).unwrap(), 5);
    assert_eq!(convert_to_timestamp(None, &Value::Int64(millis)).unwrap(), millis);
    // The number of one unit is taken as the number of another.
    assert_eq!(
        convert_to_date(Some(&time), &Value::Date(5)).unwrap(),
        5 * MILLIS_PER_DAY
    );
    assert_eq!(
        convert_to_time(Some(&date), &Value::Date(MILLIS_PER_DAY)).unwrap(),
        1
    );
    assert!(convert_to_timestamp(Some(&date), &Value::Date(5)).is_err());
    assert!(convert_to_timestamp(Some(&time), &Value::Date(MILLIS_PER_DAY + 1)).is_err());
    assert!(convert_to_time(None, &Value::Int32(-1)).is_err());
}

#[test]
fn texts_are_dates_unless_they_come_with_a_schema() {
    let day = parse_string("2019-08-23").value;
    let text = text("2019-08-23");
    assert_eq!(Value::Date(convert_to_date(None, &text).unwrap()), day);
    let error = convert_to_date(Some(&Schema::string()), &text).unwrap_err();
    assert!(
        error
            .message()
            .ends_with("(class java.util.Date) to Schema{STRING}")
    );
    // Numbers are read as the value parser reads them, blanks and rest included.
    for (text, days) in [(" 5 ", 5), ("5:x", 5), ("7", 7)] {
        let read = convert_to_date(Some(&Schema::string()), &Value::from(text)).unwrap();
        assert_eq!(read, days * MILLIS_PER_DAY, "{text}");
    }
}

#[test]
fn decimals_are_exact_from_text_and_by_way_of_doubles_from_numbers() {
    for (value, expected) in [
        (Value::Int8(5), Decimal::new(50, 1)),
        (Value::Float64(1.25), Decimal::new(125, 2)),
        (text("1.50"), Decimal::new(150, 2)),
        (Value::Bytes(vec![0x00, 0x9c]), Decimal::new(156, 2)),
        (Value::Decimal(Decimal::new(7, 9)), Decimal::new(7, 9)),
    ] {
        assert_eq!(convert_to_decimal(None, &value, 2).unwrap(), expected);
    }
    for value in [
        Value::Float64(f64::NAN),
        text("x"),
        Value::Boolean(true),
        Value::Bytes(vec![]),
    ] {
        assert!(convert_to_decimal(None, &value, 2).is_err(), "{value:?}");
    }
}

/// Where upstream's code trips instead of refusing, a dead letter names Java's own exception.
#[test]
fn exceptions_of_java_itself_are_named() {
    let null = text("null");
    for (error, class) in [
        (convert_to_boolean(None, &null).unwrap_err(), NULL_POINTER),
        (convert_to_list(None, &null).unwrap_err(), NULL_POINTER),
        (convert_to_date(None, &null).unwrap_err(), NULL_POINTER),
        (convert_to_decimal(None, &null, 2).unwrap_err(), NUMBER_FORMAT),
        (
            convert_to_decimal(None, &Value::Float32(f32::NAN), 2).unwrap_err(),
            NUMBER_FORMAT,
        ),
        (
            convert_to_decimal(None, &Value::Boolean(true), 2).unwrap_err(),
            ErrorKind::Data.java_class(),
        ),
        (
            convert_to_long(None, &null).unwrap_err(),
            ErrorKind::Data.java_class(),
        ),
    ] {
        assert_eq!((error.class(), error.kind()), (class, ErrorKind::Data));
    }
}

#[test]
fn null_becomes_nothing_that_needs_a_value() {
    const MESSAGE: &str = "Unable to convert a null value to a schema that requires a value";
    let null = Value::Null;
    for error in [
        convert_to_list(None, &null).unwrap_err(),
        convert_to_map(None, &null).unwrap_err(),
        convert_to_struct(None, &null).unwrap_err(),
        convert_to_date(None, &null).unwrap_err(),
        convert_to_time(None, &null).unwrap_err(),
        convert_to_timestamp(None, &null).unwrap_err(),
        convert_to_decimal(None, &null, 0).unwrap_err(),
    ] {
        assert_eq!(error.message(), MESSAGE);
    }
}
