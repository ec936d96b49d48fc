//! The matrix of casts, and what becomes of schemas.

use wharf_api::{Decimal, ErrorKind};

use super::*;
use crate::options::config;

fn cast_record(spec: &str, record: Record) -> Result<Record> {
    let mut transformation = Cast::new(Side::Value);
    transformation.configure(&config([("spec", spec)]))?;
    Ok(transformation.applied(record)?.unwrap())
}

fn to(spec: &str, schema: Option<SchemaRef>, value: Value) -> Result<Value> {
    cast_record(spec, Record::sink("t", 0, 0).with_value(schema, value)).map(|record| record.value)
}

const TYPES: [&str; 8] = [
    "int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string",
];

/// The texts of all eight casts; `D` is a data error.
fn row(schema: Option<SchemaRef>, value: &Value) -> String {
    let cells = TYPES.map(|target| match to(target, schema.clone(), value.clone()) {
        Ok(value) => java_text::to_java_string(&value.as_ref()),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Data);
            "D".to_owned()
        }
    });
    cells.join("|")
}

#[test]
fn numbers_and_texts_are_cast_as_the_reference_casts_them() {
    for (value, expected) in [
        (Value::from(300_i16), "44|300|300|300|300.0|300.0|true|300"),
        (70_000.into(), "112|4464|70000|70000|70000.0|70000.0|true|70000"),
        (
            5_000_000_000_i64.into(),
            "0|-3584|705032704|5000000000|5.0E9|5.0E9|true|5000000000",
        ),
        (3.99_f32.into(), "3|3|3|3|3.99|3.990000009536743|true|3.99"),
        ((-3.99).into(), "-3|-3|-3|-3|-3.99|-3.99|true|-3.99"),
        (f64::NAN.into(), "0|0|0|0|NaN|NaN|false|NaN"),
        (
            1e300.into(),
            "-1|-1|2147483647|9223372036854775807|Infinity|1.0E300|true|1.0E300",
        ),
        (0.5.into(), "0|0|0|0|0.5|0.5|false|0.5"),
        (true.into(), "1|1|1|1|1.0|1.0|true|true"),
        ("42".into(), "42|42|42|42|42.0|42.0|false|42"),
        (" 42 ".into(), "D|D|D|D|42.0|42.0|false| 42 "),
        ("4.2".into(), "D|D|D|D|4.2|4.2|false|4.2"),
        ("300".into(), "D|300|300|300|300.0|300.0|false|300"),
        ("TRUE".into(), "D|D|D|D|D|D|true|TRUE"),
        ("".into(), "D|D|D|D|D|D|false|"),
        ((&b"\x01\x02"[..]).into(), "D|D|D|D|D|D|D|AQI="),
        (Value::Array(vec![]), "D|D|D|D|D|D|D|D"),
        (Value::Map(vec![]), "D|D|D|D|D|D|D|D"),
        (Value::Date(0), "D|D|D|D|D|D|D|D"),
    ] {
        assert_eq!(row(None, &value), expected, "{value:?}");
    }
}

#[test]
fn logical_values_are_cast_by_what_they_are_kept_as() {
    const DAY: i64 = logical::MILLIS_PER_DAY;
    for (schema, value, expected) in [
        (
            logical::decimal(1),
            Value::from(Decimal::new(19_827, 1)),
            "-66|1982|1982|1982|1982.7|1982.7|true|1982.7",
        ),
        (
            logical::date(),
            Value::Date(DAY),
            "1|1|1|1|1.0|1.0|true|1970-01-02",
        ),
        (
            logical::date(),
            Value::Date(0),
            "0|0|0|0|0.0|0.0|false|00:00:00.000Z",
        ),
        (
            logical::time(),
            Value::Date(3_600_000),
            "-128|-4480|3600000|3600000|3600000.0|3600000.0|true|01:00:00.000Z",
        ),
        (
            logical::timestamp(),
            Value::Date(1_566_570_894_346),
            "10|-11254|-1092168694|1566570894346|1.5665708E12|1.566570894346E12|true|2019-08-23T14:34:54.346Z",
        ),
    ] {
        let row = row(Some(schema), &value);
        // the text of a date depends on the zone of the process
        let cut = |row: &str| row.rsplit_once('|').unwrap().0.to_owned();
        assert_eq!(cut(&row), cut(expected));
    }
}

#[test]
fn fields_get_new_schemas_and_others_stay() {
    let schema = SchemaBuilder::structure()
        .name("n")
        .doc("d")
        .field(
            "a",
            SchemaBuilder::int32()
                .name("x")
                .optional()
                .default_value(7)
                .build()
                .unwrap(),
        )
        .field("b", Schema::string())
        .field("c", Schema::optional_int64())
        .build()
        .unwrap();
    let value = Struct::new(SchemaRef::clone(&schema))
        .unwrap()
        .with("b", "12")
        .unwrap();
    let record = Record::sink("t", 0, 0).with_value(Some(schema), value);
    let changed = cast_record("a:string, b : INT8 ,zz:int8", record).unwrap();
    let schema = changed.value_schema.unwrap();
    assert_eq!((schema.name(), schema.doc()), (Some("n"), Some("d")));
    let a = schema.field("a").unwrap().unwrap().schema();
    assert_eq!(
        (a.schema_type(), a.name(), a.is_optional(), a.default_value()),
        (SchemaType::String, None, true, Some(&"7".into()))
    );
    assert_eq!(
        changed.value.as_struct().unwrap().values(),
        ["7".into(), 12_i8.into(), Value::Null]
    );
    changed.value.as_struct().unwrap().validate().unwrap();
}

#[test]
fn a_whole_value_keeps_name_and_version() {
    let record = Record::sink("t", 0, 0).with_value(Some(logical::date()), Value::Date(0));
    let changed = cast_record("int32", record).unwrap();
    let schema = changed.value_schema.unwrap();
    assert_eq!((schema.name(), schema.version()), (Some(logical::DATE), Some(1)));
    assert_eq!(changed.value, Value::from(0));
}

#[test]
fn without_schema_absent_fields_become_null() {
    let map = Value::Map(vec![("a".into(), "5".into())]);
    let changed = to("a:int8,b:int8", None, map).unwrap();
    assert_eq!(
        changed,
        Value::Map(vec![("a".into(), 5_i8.into()), ("b".into(), Value::Null)])
    );
}

#[test]
fn wrong_specifications_are_refused_in_upstream_s_words() {
    for (spec, message) in [
        ("", "Must specify at least one field to cast."),
        (
            "foo:faketype",
            "Invalid value java.lang.IllegalArgumentException: No enum constant \
             org.apache.kafka.connect.data.Schema.Type.FAKETYPE for configuration Invalid type found in casting spec: \
             faketype",
        ),
        (
            "foo:bytes",
            "Cast transformation does not support casting to BYTES; supported types are [INT8, INT16, INT32, INT64, \
             FLOAT32, FLOAT64, BOOLEAN, STRING]",
        ),
        (
            "a:int8:x",
            "Invalid value [a:int8:x] for configuration renames: Invalid rename mapping: a:int8:x",
        ),
        (
            "int8,foo:int8",
            "Cast transformations that specify a type to cast the entire value to may only specify a single cast in \
             their spec",
        ),
    ] {
        assert_eq!(to(spec, None, 1.into()).unwrap_err().message(), message, "{spec}");
    }
    assert_eq!(
        parse_casts(&["int8:".to_owned()]),
        Ok(Casts::Whole(SchemaType::Int8))
    );
    assert_eq!(
        parse_casts(&[":int8".to_owned()]),
        Ok(Casts::Fields(vec![(String::new(), SchemaType::Int8)]))
    );
}
