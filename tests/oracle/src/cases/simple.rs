//! The simple converters and `SimpleHeaderConverter`, both ways and as header converters.

use wharf_api::{Schema, SchemaRef, Value};
use wharf_converters::{BYTE_ARRAY_CONVERTER, SIMPLE_HEADER_CONVERTER, STRING_CONVERTER};

use super::{Table, converter, generated, samples, values_parse};
use crate::case::{Call, Usage};

/// Converters and the Java classes of the values that they write.
const NUMBERS: [(&str, &str); 6] = [
    (
        "org.apache.kafka.connect.converters.BooleanConverter",
        "java.lang.Boolean",
    ),
    (
        "org.apache.kafka.connect.converters.DoubleConverter",
        "java.lang.Double",
    ),
    (
        "org.apache.kafka.connect.converters.FloatConverter",
        "java.lang.Float",
    ),
    (
        "org.apache.kafka.connect.converters.IntegerConverter",
        "java.lang.Integer",
    ),
    (
        "org.apache.kafka.connect.converters.LongConverter",
        "java.lang.Long",
    ),
    (
        "org.apache.kafka.connect.converters.ShortConverter",
        "java.lang.Short",
    ),
];

/// The call of a class without configuration.
fn from(class: &'static str, usage: Usage, schema: Option<SchemaRef>, value: Value) -> Call {
    Call::From {
        converter: converter(class, usage, &[]),
        schema,
        value,
    }
}

fn to(class: &'static str, usage: Usage, bytes: Option<&[u8]>) -> Call {
    Call::To {
        converter: converter(class, usage, &[]),
        bytes: bytes.map(<[u8]>::to_vec),
    }
}

/// Whether Java's charset of this name is not the one of the WHATWG list, at least for this text or message.
fn other_charset(name: &str, content: &[u8]) -> Option<&'static str> {
    let euro = "é€".as_bytes();
    let differs = match name {
        // Refused, because the list means the charsets of Windows by them.
        "ISO-8859-9" | "TIS-620" => true,
        "EUC-JP" => content == euro || matches!(content, b"\xff\xfeA\0" | b"\x93\xfa"),
        "GBK" => content == euro,
        _ => false,
    };
    differs.then_some("charsets")
}

pub(super) fn strings(table: &mut Table) {
    for value in samples::values() {
        let differs = samples::holds_bytes(&value).then_some("bytes-text");
        let call = from(STRING_CONVERTER, Usage::Value, None, value);
        table.add("text-of", call, differs);
    }
    for value in samples::mostly(|_| false) {
        let differs = samples::holds_bytes(&value).then_some("bytes-text");
        let schema = Some(Schema::int8());
        let call = from(STRING_CONVERTER, Usage::Header, schema, value);
        table.add("header", call, differs);
    }
    let bytes: [Option<&[u8]>; 10] = [
        None,
        Some(b""),
        Some(b"x"),
        Some("é😀".as_bytes()),
        Some(b"\xff"),
        Some(b"a\xc3"),
        Some(b"\xed\xa0\x80"),
        Some(b"\xf0\x9f\x98"),
        Some(b"\xfe\xff\0A"),
        Some(b"\0\x01"),
    ];
    for bytes in bytes {
        table.same("read", to(STRING_CONVERTER, Usage::Value, bytes));
        table.same("header", to(STRING_CONVERTER, Usage::Header, bytes));
    }
    for name in [
        "utf-8",
        " UTF8 ",
        "ISO-8859-1",
        "latin1",
        "US-ASCII",
        "UTF-16",
        "UTF-16BE",
        "UTF-16LE",
        "windows-1252",
        "ISO-8859-15",
        "Shift_JIS",
        "EUC-JP",
        "GBK",
        "KOI8-R",
        "no-such",
        "",
        "ISO-8859-9",
        "TIS-620",
    ] {
        let with = || converter(STRING_CONVERTER, Usage::Value, &[("converter.encoding", name)]);
        for text in ["", "abc", "é€", "日本", "😀"] {
            let call = Call::From {
                converter: with(),
                schema: None,
                value: text.into(),
            };
            table.add("encoding", call, other_charset(name, text.as_bytes()));
        }
        let messages = [
            Some(&b"abc"[..]),
            Some(b"\xe9\xa4"),
            Some(b"\xfe\xff\0A"),
            Some(b"\xff\xfeA\0"),
            Some(b"\x93\xfa"),
            None,
        ];
        for bytes in messages {
            let call = Call::To {
                converter: with(),
                bytes: bytes.map(<[u8]>::to_vec),
            };
            table.add("encoding", call, other_charset(name, bytes.unwrap_or_default()));
        }
    }
    for name in ["UTF-32", "UTF-32BE", "IBM037"] {
        let converter = converter(STRING_CONVERTER, Usage::Value, &[("converter.encoding", name)]);
        let value = Value::from("é");
        let call = Call::From {
            converter,
            schema: None,
            value,
        };
        table.add("encoding", call, Some("charsets"));
    }
    generated::strings(table);
}

pub(super) fn byte_arrays(table: &mut Table) {
    for usage in [Usage::Value, Usage::Header] {
        for value in samples::mostly(|value| matches!(value, Value::Bytes(_))) {
            table.same("write", from(BYTE_ARRAY_CONVERTER, usage, None, value));
        }
        for schema in samples::schemas().into_iter().chain(samples::logicals()) {
            let value = Value::from(&b"\xff\x00"[..]);
            table.same(
                "schema",
                from(
                    BYTE_ARRAY_CONVERTER,
                    usage,
                    Some(SchemaRef::clone(&schema)),
                    value,
                ),
            );
            table.same(
                "schema",
                from(BYTE_ARRAY_CONVERTER, usage, Some(schema), Value::Null),
            );
        }
        for bytes in [None, Some(&b""[..]), Some(b"x"), Some(b"\xff\x00")] {
            table.same("read", to(BYTE_ARRAY_CONVERTER, usage, bytes));
        }
    }
}

pub(super) fn primitives(table: &mut Table) {
    for (class, written) in NUMBERS {
        for value in samples::mostly(|value| value.java_class() == written) {
            table.same("write", from(class, Usage::Value, None, value));
        }
        for schema in [
            Schema::boolean(),
            Schema::int16(),
            Schema::optional_float64(),
            samples::point(),
        ] {
            for value in [
                Value::Null,
                true.into(),
                1.5.into(),
                1.5_f32.into(),
                1.into(),
                1_i64.into(),
                1_i16.into(),
            ] {
                table.same(
                    "schema",
                    from(class, Usage::Value, Some(SchemaRef::clone(&schema)), value),
                );
            }
        }
        for length in 0..=9 {
            let bytes = &[0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9][..length];
            table.same("read", to(class, Usage::Value, Some(bytes)));
        }
        for usage in [Usage::Value, Usage::Header] {
            table.same("read", to(class, usage, None));
            for bytes in [
                &b"\0"[..],
                b"\x01",
                b"\x02",
                b"\xff",
                b"\0\x01",
                b"\x7f\xc0\0\0",
                b"\x7f\xf8\0\0\0\0\0\0",
            ] {
                table.same("read", to(class, usage, Some(bytes)));
            }
        }
    }
}

pub(super) fn headers(table: &mut Table) {
    for value in samples::values() {
        table.same("write", from(SIMPLE_HEADER_CONVERTER, Usage::Header, None, value));
    }
    for value in samples::mostly(|_| false) {
        let schema = Some(Schema::int8());
        table.same(
            "write",
            from(SIMPLE_HEADER_CONVERTER, Usage::Header, schema, value),
        );
    }
    table.same("read", to(SIMPLE_HEADER_CONVERTER, Usage::Header, None));
    // The parser has its own cases; this is about what becomes of its answers.
    for text in values_parse::TEXTS.iter().step_by(3) {
        table.same(
            "read",
            to(SIMPLE_HEADER_CONVERTER, Usage::Header, Some(text.as_bytes())),
        );
    }
    for bytes in [
        &b"\xff"[..],
        b"a\xc3",
        b"[1,\xff]",
        b"1\xff",
        b"\0",
        b"\xef\xbb\xbf1",
    ] {
        table.same("read", to(SIMPLE_HEADER_CONVERTER, Usage::Header, Some(bytes)));
    }
    generated::headers(table);
}
