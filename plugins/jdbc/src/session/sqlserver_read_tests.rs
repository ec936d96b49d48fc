//! Values as the library gives them, and what becomes of them.

use super::*;
use std::borrow::Cow;
use tiberius::ColumnType;
use tiberius::numeric::Numeric;
use tiberius::xml::XmlData;

/// What is read of a value, as people would write it.
fn read(value: ColumnData<'static>, source_type: &SourceType) -> Result<String, String> {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let row = ServerRow::builder().column("c", ColumnType::Null, value).build();
    let mut scratch = String::new();
    let (_, value) = row.cells().next().unwrap();
    Ok(match raw(value, source_type, &berlin, &mut scratch)? {
        Raw::Null => "null".to_owned(),
        Raw::Boolean(value) => value.to_string(),
        Raw::Integer(number) => number.to_string(),
        Raw::Float32(number) => format!("{number}f32"),
        Raw::Float64(number) => format!("{number}f64"),
        Raw::Decimal(number) => format!("{number}d"),
        Raw::Text(text) => format!("'{text}'"),
        Raw::Bytes(bytes) => format!("{bytes:x?}"),
        Raw::Date(days) => format!("day {days}"),
        Raw::Time(millis) => format!("{millis} ms"),
        Raw::Timestamp(seconds, nanos) => format!("{seconds}.{nanos:09}"),
        Raw::Array(_) => "an array".to_owned(),
    })
}

fn datetime2() -> time::DateTime2 {
    // 2026-07-01 12:00:00.1234567
    time::DateTime2::new(time::Date::new(739_797), time::Time::new(432_001_234_567, 7))
}

#[test]
fn every_type_of_the_server_is_read() {
    let timestamp = |zoned| SourceType::Timestamp { zoned, digits: 7 };
    let numeric = SourceType::Numeric {
        precision: 38,
        scale: Some(2),
    };
    let text = |text: &str| ColumnData::String(Some(Cow::Owned(text.to_owned())));
    let id = tiberius::Uuid::from_u128(0x6f96_19ff_8b86_d011_b42d_00c0_4fc9_64ff);
    let most = 10_i128.pow(38) - 1;
    for (value, source_type, expected) in [
        (ColumnData::Bit(Some(true)), SourceType::Int8, "true"),
        (ColumnData::U8(Some(255)), SourceType::Int16, "255"),
        (ColumnData::I16(Some(-3)), SourceType::Int16, "-3"),
        (ColumnData::I32(Some(-3)), SourceType::Int32, "-3"),
        (
            ColumnData::I64(Some(i64::MIN)),
            SourceType::Int64,
            "-9223372036854775808",
        ),
        (ColumnData::F32(Some(0.5)), SourceType::Float32, "0.5f32"),
        (ColumnData::F64(Some(0.5)), SourceType::Float64, "0.5f64"),
        (
            ColumnData::Numeric(Some(Numeric::new_with_scale(-5, 2))),
            numeric.clone(),
            "-0.05d",
        ),
        (
            ColumnData::Numeric(Some(Numeric::new_with_scale(most, 2))),
            numeric.clone(),
            "999999999999999999999999999999999999.99d",
        ),
        (text("grüße"), SourceType::Text, "'grüße'"),
        (
            ColumnData::Xml(Some(Cow::Owned(XmlData::new("<a/>")))),
            SourceType::Text,
            "'<a/>'",
        ),
        (
            ColumnData::Guid(Some(id)),
            SourceType::Text,
            "'6F9619FF-8B86-D011-B42D-00C04FC964FF'",
        ),
        (
            ColumnData::Binary(Some(Cow::Owned(vec![0, 0xff]))),
            SourceType::Bytes,
            "[0, ff]",
        ),
        (
            ColumnData::Date(Some(time::Date::new(719_162))),
            SourceType::Date,
            "day 0",
        ),
        (
            ColumnData::Date(Some(time::Date::new(0))),
            SourceType::Date,
            "day -719162",
        ),
        (
            ColumnData::Time(Some(time::Time::new(37_230_049_999, 7))),
            SourceType::Time,
            "3723004 ms",
        ),
        (
            ColumnData::Time(Some(time::Time::new(3_723, 0))),
            SourceType::Time,
            "3723000 ms",
        ),
        // Noon in Berlin is ten o'clock.
        (
            ColumnData::DateTime2(Some(datetime2())),
            timestamp(false),
            "1782900000.123456700",
        ),
        (
            ColumnData::DateTimeOffset(Some(time::DateTimeOffset::new(datetime2(), 120))),
            timestamp(true),
            "1782907200.123456700",
        ),
        // Milliseconds as the server shows them: a third of a hundredth is 3 of them, two thirds are 7.
        (
            ColumnData::DateTime(Some(time::DateTime::new(46_202, 12 * 3_600 * 300 + 1))),
            timestamp(false),
            "1782900000.003000000",
        ),
        (
            ColumnData::DateTime(Some(time::DateTime::new(46_202, 12 * 3_600 * 300 + 299))),
            timestamp(false),
            "1782900000.997000000",
        ),
        (
            ColumnData::SmallDateTime(Some(time::SmallDateTime::new(46_202, 12 * 60 + 1))),
            timestamp(false),
            "1782900060.000000000",
        ),
        (ColumnData::Numeric(None), numeric, "null"),
        (ColumnData::String(None), SourceType::Text, "null"),
        // Columns whose values are of any type are texts.
        (ColumnData::I32(Some(7)), SourceType::Other, "'7'"),
        (text("x"), SourceType::Other, "'x'"),
        (ColumnData::Bit(Some(true)), SourceType::Other, "'1'"),
        (
            ColumnData::Date(Some(time::Date::new(719_162))),
            SourceType::Other,
            "'1970-01-01'",
        ),
    ] {
        assert_eq!(read(value.clone(), &source_type).unwrap(), expected, "{value:?}");
    }
    let refused = read(
        ColumnData::Binary(Some(Cow::Owned(vec![0xff]))),
        &SourceType::Other,
    )
    .unwrap_err();
    assert!(refused.contains("cast the column in a query"), "{refused}");
}

fn described(type_id: i32, precision: i32, scale: i32) -> ServerRow {
    let number = |value: i32| ColumnData::I32(Some(value));
    let text = |text: &'static str| ColumnData::String(Some(Cow::Borrowed(text)));
    ServerRow::builder()
        .column("name", ColumnType::NVarchar, text("c"))
        .column("is_nullable", ColumnType::Int4, number(0))
        .column("system_type_id", ColumnType::Int4, number(type_id))
        .column("precision", ColumnType::Int4, number(precision))
        .column("scale", ColumnType::Int4, number(scale))
        .column("is_identity_column", ColumnType::Int4, number(1))
        .column("error_number", ColumnType::Int4, ColumnData::I32(None))
        .column("error_message", ColumnType::NVarchar, text(""))
        .build()
}

#[test]
fn columns_are_what_the_catalogue_says() {
    let timestamp = |zoned, digits| SourceType::Timestamp { zoned, digits };
    let numeric = |precision, scale| SourceType::Numeric {
        precision,
        scale: Some(scale),
    };
    for (type_id, precision, scale, source_type, cast) in [
        (104, 1, 0, SourceType::Int8, ""),
        (48, 3, 0, SourceType::Int16, ""),
        (56, 10, 0, SourceType::Int32, ""),
        (127, 19, 0, SourceType::Int64, ""),
        (106, 10, 2, numeric(10, 2), ""),
        (60, 19, 4, numeric(19, 4), " + CAST(0 AS decimal(19, 4))"),
        (59, 24, 0, SourceType::Float32, ""),
        (62, 53, 0, SourceType::Float64, ""),
        (42, 23, 3, timestamp(false, 3), ""),
        (43, 34, 7, timestamp(true, 7), ""),
        (61, 23, 3, timestamp(false, DATETIME_DIGITS), ""),
        (58, 16, 0, timestamp(false, 0), ""),
        (36, 0, 0, SourceType::Text, ""),
        (241, 0, 0, SourceType::Text, ""),
        (189, 0, 0, SourceType::Bytes, ""),
        (240, 0, 0, SourceType::Other, ".ToString()"),
        (98, 0, 0, SourceType::Other, ""),
        (9_999, 0, 0, SourceType::Other, ""),
    ] {
        let found = Described::of(&described(type_id, precision, scale)).unwrap();
        assert_eq!(found.source_type(), (source_type, cast), "{type_id}");
        assert!(found.name == "c" && found.counts && !found.nullable);
    }
}

#[test]
fn a_query_that_cannot_be_looked_at_is_told_with_the_servers_reason() {
    let row = ServerRow::builder();
    let row = (0..6).fold(row, |row, _| {
        row.column("x", ColumnType::Int4, ColumnData::I32(Some(0)))
    });
    let message = Cow::Borrowed("Invalid object name 'nothing'.");
    let row = row
        .column("error_number", ColumnType::Int4, ColumnData::I32(Some(208)))
        .column(
            "error_message",
            ColumnType::NVarchar,
            ColumnData::String(Some(message)),
        )
        .build();
    let Err(failure) = Described::of(&row) else {
        panic!("it was taken for a column")
    };
    assert_eq!(failure.to_string(), "Invalid object name 'nothing'. [208]");
    assert!(failure.is(Trouble::Statement));
}
