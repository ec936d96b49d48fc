//! `Values.convertTo…`: every target with a value of every class, by its plain schema, by none, and by a wrong one.

use wharf_api::{Schema, SchemaRef, Value, logical, values};

use super::{Table, generated, samples};
use crate::case::{CONVERSIONS, Call};

const TEXTS: &[&str] = &[
    "5",
    "-5",
    "1.9",
    "300",
    "1e400",
    "9223372036854775808",
    "NaN",
    "Infinity",
    "true",
    "false",
    "TRUE",
    "yes",
    "0",
    "0.5",
    " 5 ",
    " true ",
    "null",
    "1f",
    "0x10",
    "[1,2]",
    "[1,x]",
    "[]",
    "{\"a\":1}",
    "{}",
    "2019-08-23",
    "14:34:54.346Z",
    "2019-08-23T14:34:54.346Z",
    "2019-08-23 x",
    "86400000",
    "86400001",
    "-1",
    "1e3",
    "\"5\"",
    "٥",
];

fn call(target: &'static str, schema: Option<SchemaRef>, value: Value) -> Call {
    Call::Convert {
        target,
        scale: 2,
        schema,
        value,
    }
}

pub(super) fn fill(table: &mut Table) {
    for target in CONVERSIONS {
        for value in samples::mostly(|value| match target {
            // Containers and structs come from their own kind only, or from text.
            "list" | "map" | "struct" => samples::containers().contains(value),
            // These go the way of their neighbours.
            "short" | "integer" | "time" | "timestamp" => {
                matches!(value, Value::Int64(_) | Value::Float64(_) | Value::Date(_))
            }
            _ => true,
        }) {
            let schema = values::infer_schema(&value).ok().flatten();
            table.same("value", call(target, schema, value));
        }
        for text in TEXTS {
            table.same("text", call(target, Some(Schema::string()), (*text).into()));
        }
        for schema in [
            logical::date(),
            logical::time(),
            logical::timestamp(),
            Schema::int64(),
        ] {
            for millis in [0, 5, 86_400_000, 1_566_570_894_346, -86_400_001] {
                let value = Value::Date(millis);
                table.same("date", call(target, Some(SchemaRef::clone(&schema)), value));
            }
        }
        for value in [Value::Null, 5.into(), "5".into(), true.into(), Value::Date(5)] {
            table.same("no-schema", call(target, None, value.clone()));
            table.same("wrong-schema", call(target, Some(Schema::bytes()), value));
        }
    }
    for scale in [-2, 0, 5] {
        for value in [
            Value::from(&b"\x00\x9c"[..]),
            Value::from(&b""[..]),
            "1.5".into(),
            7.into(),
            0.1_f32.into(),
        ] {
            table.same(
                "scale",
                Call::Convert {
                    target: "decimal",
                    scale,
                    schema: None,
                    value,
                },
            );
        }
    }
    generated::convert(table);
}
