//! `JsonConverter`, reading: envelopes, schemas, nulls and defaults, containers, logical types. What does not suit its
//! schema is in `json_to_mismatch`, the forms of JSON itself and the options are in `json_to_reader`.

use super::{Table, generated, json};
use crate::case::Call;

pub(super) const BARE: &[(&str, &str)] = &[("schemas.enable", "false")];
const KEEP_NULL: &[(&str, &str)] = &[("replace.null.with.default", "false")];

pub(super) fn call(config: &[(&str, &str)], bytes: impl AsRef<[u8]>) -> Call {
    Call::To {
        converter: json(config),
        bytes: Some(bytes.as_ref().to_vec()),
    }
}

/// A message with schema, as JSON text.
pub(super) fn envelope(schema: &str, payload: &str) -> String {
    format!("{{\"schema\":{schema},\"payload\":{payload}}}")
}

pub(super) fn fill(table: &mut Table) {
    envelopes(table);
    schemas(table);
    nulls_and_defaults(table);
    containers(table);
    logical_types(table);
    generated::json_to(table);
}

fn envelopes(table: &mut Table) {
    for config in [&[], BARE] {
        table.same(
            "envelope",
            Call::To {
                converter: json(config),
                bytes: None,
            },
        );
        for text in [
            "",
            " ",
            "null",
            "5",
            "\"x\"",
            "true",
            "[]",
            "{}",
            "{\"schema\":null,\"payload\":null}",
            "{\"schema\":null,\"payload\":5}",
            "{\"payload\":5,\"schema\":null}",
            "{\"schema\":null}",
            "{\"payload\":5}",
            "{\"schema\":null,\"payload\":5,\"more\":1}",
            "{\"schema\":null,\"Payload\":5}",
            "{\"schema\":{},\"payload\":5}",
            "{\"schema\":5,\"payload\":5}",
            "{\"schema\":[],\"payload\":5}",
            "{\"schema\":\"int8\",\"payload\":5}",
            "{\"schema\":true,\"payload\":null}",
            "{\"schema\":{\"type\":\"int8\"},\"payload\":5}",
            "{\"payload\":5,\"schema\":{\"type\":\"int8\"}}",
            " { \"schema\" : { \"type\" : \"int8\" } , \"payload\" : 5 } ",
            "{\"schema\":null,\"payload\":5,\"payload\":6}",
            "{\"schema\":{\"type\":\"int8\"},\"schema\":{\"type\":\"string\"},\"payload\":\"x\"}",
        ] {
            table.same("envelope", call(config, text));
        }
    }
}

fn schemas(table: &mut Table) {
    for (schema, payload) in [
        // Each type by its name, and names that are none.
        ("{\"type\":\"boolean\"}", "true"),
        ("{\"type\":\"int8\"}", "-128"),
        ("{\"type\":\"int16\"}", "32767"),
        ("{\"type\":\"int32\"}", "-2147483648"),
        ("{\"type\":\"int64\"}", "9223372036854775807"),
        ("{\"type\":\"float\"}", "12.34"),
        ("{\"type\":\"double\"}", "12.34"),
        ("{\"type\":\"string\"}", "\"é😀\\ud83d\\ude00\\n\\/\\u0000\""),
        ("{\"type\":\"bytes\"}", "\"dGVzdC1zdHJpbmc=\""),
        ("{\"type\":\"float32\"}", "1"),
        ("{\"type\":\"float64\"}", "1"),
        ("{\"type\":\"INT8\"}", "1"),
        ("{\"type\":\"\"}", "1"),
        ("{\"type\":null}", "1"),
        ("{\"type\":5}", "1"),
        ("{\"type\":[\"int8\"]}", "1"),
        ("{\"Type\":\"int8\"}", "1"),
        // Attributes that count only when they have the right form.
        ("{\"type\":\"int8\",\"optional\":true}", "null"),
        ("{\"type\":\"int8\",\"optional\":\"true\"}", "1"),
        ("{\"type\":\"int8\",\"optional\":1}", "1"),
        ("{\"type\":\"int8\",\"optional\":null}", "1"),
        (
            "{\"type\":\"int8\",\"name\":\"n\",\"version\":3,\"doc\":\"d\"}",
            "1",
        ),
        (
            "{\"type\":\"int8\",\"name\":\"\",\"version\":0,\"doc\":\"\"}",
            "1",
        ),
        (
            "{\"type\":\"int8\",\"name\":5,\"version\":\"3\",\"doc\":true}",
            "1",
        ),
        (
            "{\"type\":\"int8\",\"name\":null,\"version\":null,\"doc\":null}",
            "1",
        ),
        ("{\"type\":\"int8\",\"version\":1.0}", "1"),
        ("{\"type\":\"int8\",\"version\":1e2}", "1"),
        ("{\"type\":\"int8\",\"version\":-7}", "1"),
        (
            "{\"type\":\"int8\",\"parameters\":{\"b\":\"2\",\"a\":\"1\"}}",
            "1",
        ),
        ("{\"type\":\"int8\",\"parameters\":{}}", "1"),
        ("{\"type\":\"int8\",\"parameters\":null}", "1"),
        ("{\"type\":\"int8\",\"parameters\":[]}", "1"),
        ("{\"type\":\"int8\",\"parameters\":\"x\"}", "1"),
        ("{\"type\":\"int8\",\"parameters\":{\"a\":1}}", "1"),
        ("{\"type\":\"int8\",\"parameters\":{\"a\":null}}", "1"),
        ("{\"type\":\"int8\",\"unknown\":[1,{\"x\":2}]}", "1"),
        ("{\"type\":\"int8\",\"type\":\"int16\"}", "1"),
        // Parts.
        ("{\"type\":\"array\"}", "[]"),
        ("{\"type\":\"array\",\"items\":null}", "[]"),
        ("{\"type\":\"array\",\"items\":\"int8\"}", "[]"),
        ("{\"type\":\"array\",\"items\":{\"type\":\"int8\"}}", "[1,2]"),
        (
            "{\"type\":\"array\",\"items\":{\"type\":\"int8\"},\"name\":\"n\",\"optional\":true}",
            "null",
        ),
        ("{\"type\":\"map\"}", "{}"),
        ("{\"type\":\"map\",\"keys\":{\"type\":\"string\"}}", "{}"),
        ("{\"type\":\"map\",\"values\":{\"type\":\"string\"}}", "{}"),
        (
            "{\"type\":\"map\",\"keys\":null,\"values\":{\"type\":\"string\"}}",
            "{}",
        ),
        (
            "{\"type\":\"map\",\"keys\":{\"type\":\"string\"},\"values\":null}",
            "{}",
        ),
        ("{\"type\":\"struct\"}", "{}"),
        ("{\"type\":\"struct\",\"fields\":null}", "{}"),
        ("{\"type\":\"struct\",\"fields\":{}}", "{}"),
        ("{\"type\":\"struct\",\"fields\":[]}", "{}"),
        ("{\"type\":\"struct\",\"fields\":[5]}", "{}"),
        ("{\"type\":\"struct\",\"fields\":[null]}", "{}"),
        ("{\"type\":\"struct\",\"fields\":[{\"type\":\"int8\"}]}", "{}"),
        (
            "{\"type\":\"struct\",\"fields\":[{\"type\":\"int8\",\"field\":5}]}",
            "{}",
        ),
        (
            "{\"type\":\"struct\",\"fields\":[{\"type\":\"int8\",\"field\":\"\"}]}",
            "{\"\":1}",
        ),
        (
            "{\"type\":\"struct\",\"fields\":[{\"field\":\"a\"}]}",
            "{\"a\":1}",
        ),
        (
            "{\"type\":\"struct\",\"fields\":[{\"type\":\"int8\",\"field\":\"a\"},{\"type\":\"int8\",\"field\":\"a\"}]}",
            "{\"a\":1}",
        ),
        (
            "{\"type\":\"struct\",\"name\":\"n\",\"fields\":[{\"type\":\"int8\",\"field\":\"a\",\"name\":\"m\"}]}",
            "{\"a\":1}",
        ),
    ] {
        table.same("schema", call(&[], envelope(schema, payload)));
    }
    for version in ["2147483648", "99999999999999999999"] {
        let schema = format!("{{\"type\":\"int8\",\"version\":{version}}}");
        table.add("schema", call(&[], envelope(&schema, "1")), Some("version-range"));
    }
}

fn nulls_and_defaults(table: &mut Table) {
    let types = [
        ("\"type\":\"int32\"", "42"),
        ("\"type\":\"string\"", "\"d\""),
        ("\"type\":\"bytes\"", "\"AQI=\""),
        ("\"type\":\"boolean\"", "false"),
        ("\"type\":\"double\"", "1.5"),
        ("\"type\":\"array\",\"items\":{\"type\":\"int8\"}", "[1]"),
        (
            "\"type\":\"map\",\"keys\":{\"type\":\"string\"},\"values\":{\"type\":\"int8\"}",
            "{\"k\":1}",
        ),
        (
            "\"type\":\"int64\",\"name\":\"org.apache.kafka.connect.data.Timestamp\",\"version\":1",
            "42",
        ),
        (
            "\"type\":\"int32\",\"name\":\"org.apache.kafka.connect.data.Date\",\"version\":1",
            "42",
        ),
        (
            "\"type\":\"bytes\",\"name\":\"org.apache.kafka.connect.data.Decimal\",\"version\":1,\"parameters\":{\"scale\":\"2\"}",
            "\"ZA==\"",
        ),
    ];
    for (text, default) in types {
        for config in [&[], KEEP_NULL] {
            for optional in ["", ",\"optional\":true"] {
                for set in [String::new(), format!(",\"default\":{default}")] {
                    let schema = format!("{{{text}{optional}{set}}}");
                    table.same("null", call(config, envelope(&schema, "null")));
                    // Fields go the same way; a few types are enough.
                    if !["int32", "array", "bytes"].iter().any(|name| text.contains(name)) {
                        continue;
                    }
                    let field = format!("{{{text}{optional}{set},\"field\":\"f\"}}");
                    let holder = format!("{{\"type\":\"struct\",\"fields\":[{field}]}}");
                    table.same("null-field", call(config, envelope(&holder, "{\"f\":null}")));
                    table.same("missing-field", call(config, envelope(&holder, "{}")));
                }
            }
        }
    }
    for (schema, payload) in [
        ("{\"type\":\"int8\",\"default\":null}", "null"),
        ("{\"type\":\"int8\",\"default\":null,\"optional\":true}", "null"),
        ("{\"type\":\"bytes\",\"default\":\"?\"}", "null"),
        ("{\"type\":\"struct\",\"fields\":[],\"default\":5}", "null"),
        (
            "{\"type\":\"array\",\"items\":{\"type\":\"int8\"},\"default\":[null]}",
            "null",
        ),
        (
            "{\"type\":\"map\",\"keys\":{\"type\":\"string\"},\"values\":{\"type\":\"int8\"},\"default\":[]}",
            "{}",
        ),
        (
            "{\"type\":\"array\",\"items\":{\"type\":\"int8\",\"default\":3}}",
            "[1,null]",
        ),
        ("{\"type\":\"array\",\"items\":{\"type\":\"int8\"}}", "[1,null]"),
        (
            "{\"type\":\"struct\",\"fields\":[{\"type\":\"int8\",\"field\":\"a\"}],\"default\":{\"a\":5}}",
            "{\"a\":6}",
        ),
        (
            "{\"type\":\"struct\",\"fields\":[{\"type\":\"int8\",\"field\":\"a\"}],\"default\":{\"a\":5}}",
            "null",
        ),
    ] {
        let is_struct = schema.contains("\"default\":{");
        let differs = is_struct.then_some("struct-default-read");
        table.add("default", call(&[], envelope(schema, payload)), differs);
        table.add("default", call(KEEP_NULL, envelope(schema, payload)), differs);
    }
}

fn containers(table: &mut Table) {
    let map = |key: &str| {
        format!("{{\"type\":\"map\",\"keys\":{{\"type\":\"{key}\"}},\"values\":{{\"type\":\"int32\"}}}}")
    };
    for (key, payload) in [
        ("string", "{\"k1\":12,\"k2\":15}"),
        ("string", "{\"k\":1,\"k\":2}"),
        ("string", "{}"),
        ("string", "[]"),
        ("string", "[[\"k\",1]]"),
        ("string", "5"),
        ("string", "\"x\""),
        ("string", "{\"k\":null}"),
        ("int32", "[[1,12],[2,15]]"),
        ("int32", "[[1,12],[1,15]]"),
        ("int32", "[]"),
        ("int32", "{}"),
        ("int32", "{\"1\":2}"),
        ("int32", "5"),
        ("int32", "[5]"),
        ("int32", "[[1]]"),
        ("int32", "[[1,2,3]]"),
        ("int32", "[[]]"),
        ("int32", "[{}]"),
        ("int32", "[null]"),
        ("int32", "[[null,1]]"),
        ("int32", "[[1,null]]"),
        ("boolean", "[[true,1]]"),
    ] {
        table.same("map", call(&[], envelope(&map(key), payload)));
    }
    let optional_key =
        "{\"type\":\"map\",\"keys\":{\"type\":\"string\",\"optional\":true},\"values\":{\"type\":\"int8\"}}";
    let named_key =
        "{\"type\":\"map\",\"keys\":{\"type\":\"string\",\"name\":\"n\"},\"values\":{\"type\":\"int8\"}}";
    for schema in [optional_key, named_key] {
        for payload in ["{\"k\":1}", "[[\"k\",1]]", "[[null,1]]", "{}", "[]"] {
            table.same("map", call(&[], envelope(schema, payload)));
        }
    }
    let point = "{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"field\":\"x\"},\
                 {\"type\":\"string\",\"optional\":true,\"field\":\"label\"}]}";
    for payload in [
        "{\"x\":1,\"label\":\"a\"}",
        "{\"label\":\"a\",\"x\":1}",
        "{\"x\":1}",
        "{\"x\":1,\"more\":[{}]}",
        "{\"x\":1,\"x\":2}",
        "{\"label\":\"a\"}",
        "{}",
        "[]",
        "5",
        "\"x\"",
        "true",
    ] {
        table.same("struct", call(&[], envelope(point, payload)));
    }
    let nested = format!("{{\"type\":\"array\",\"items\":{point},\"optional\":true}}");
    for payload in ["[{\"x\":1},{\"x\":2}]", "[{\"x\":null}]", "[[]]", "[null]"] {
        table.same("struct", call(&[], envelope(&nested, payload)));
    }
}

fn logical_types(table: &mut Table) {
    let schema = |base: &str, name: &str, more: &str| {
        format!("{{\"type\":\"{base}\",\"name\":\"org.apache.kafka.connect.data.{name}\"{more}}}")
    };
    let scale = |scale: &str| format!(",\"version\":1,\"parameters\":{{\"scale\":\"{scale}\"}}");
    for (text, payload) in [
        (schema("bytes", "Decimal", &scale("2")), "\"AJw=\""),
        (schema("bytes", "Decimal", &scale("2")), "\"/2Q=\""),
        (schema("bytes", "Decimal", &scale("2")), "1.56"),
        (schema("bytes", "Decimal", &scale("2")), "156"),
        (schema("bytes", "Decimal", &scale("2")), "1.5600"),
        (schema("bytes", "Decimal", &scale("2")), "1E-10"),
        (schema("bytes", "Decimal", &scale("2")), "1e400"),
        (
            schema("bytes", "Decimal", &scale("2")),
            "123456789012345678901234567890.12",
        ),
        (schema("bytes", "Decimal", &scale("2")), "\"\""),
        (schema("bytes", "Decimal", &scale("2")), "\"?\""),
        (schema("bytes", "Decimal", &scale("2")), "true"),
        (schema("bytes", "Decimal", &scale("2")), "[]"),
        (schema("bytes", "Decimal", &scale("-3")), "\"BQ==\""),
        (schema("bytes", "Decimal", &scale("x")), "\"BQ==\""),
        (schema("bytes", "Decimal", &scale("x")), "1.5"),
        (schema("bytes", "Decimal", ""), "\"BQ==\""),
        (schema("bytes", "Decimal", ""), "1.5"),
        (schema("int32", "Date", ",\"version\":1"), "10000"),
        (schema("int32", "Date", ",\"version\":1"), "-1"),
        (schema("int32", "Date", ""), "10000"),
        (schema("int32", "Date", ""), "10000.0"),
        (schema("int32", "Date", ""), "\"1\""),
        (schema("int32", "Date", ""), "true"),
        (schema("int32", "Time", ",\"version\":1"), "14400000"),
        (schema("int32", "Time", ""), "0"),
        (schema("int32", "Time", ""), "86400000"),
        (schema("int32", "Time", ""), "86400001"),
        (schema("int32", "Time", ""), "-1"),
        (schema("int32", "Time", ""), "\"x\""),
        (schema("int64", "Timestamp", ",\"version\":1"), "4000000000"),
        (schema("int64", "Timestamp", ""), "-1"),
        (schema("int64", "Timestamp", ""), "1.5"),
        (schema("int64", "Timestamp", ""), "\"x\""),
        (schema("int64", "Timestamp", ""), "9223372036854775807"),
        // The base type need not fit the name.
        (schema("string", "Date", ""), "\"x\""),
        (schema("string", "Date", ""), "5"),
        (schema("int64", "Date", ""), "5"),
        (schema("string", "Decimal", &scale("2")), "\"AJw=\""),
        (schema("int32", "Timestamp", ""), "5"),
    ] {
        table.same("logical", call(&[], envelope(&text, payload)));
    }
    for payload in ["9223372036854775808", "-99999999999999999999"] {
        let text = envelope(&schema("int64", "Timestamp", ""), payload);
        table.add("logical", call(&[], text), Some("timestamp-range"));
    }
    for payload in ["4294967296", "2147483648"] {
        for name in ["Date", "Time"] {
            table.same(
                "logical",
                call(&[], envelope(&schema("int32", name, ""), payload)),
            );
        }
    }
}
