//! `JsonConverter`, reading: values without schema, the leniency of the reader itself, encodings, and the options that say
//! what a message is.

use super::json_to::{BARE, call, envelope};
use super::{Table, generated};
use crate::case::{Call, Usage};

pub(super) fn fill(table: &mut Table) {
    schemaless(table);
    reader(table);
    configuration(table);
    generated::json_reader(table);
    generated::json_broken(table);
}

fn schemaless(table: &mut Table) {
    for text in [
        "0",
        "-0",
        "1",
        "-1",
        "127",
        "300",
        "9223372036854775807",
        "-9223372036854775808",
        "1.5",
        "1.0",
        "1e3",
        "1E+2",
        "1e-400",
        "12345678901234567890.5",
        "0.1",
        "1.7976931348623157e308",
        "true",
        "false",
        "null",
        "\"\"",
        "\"x\"",
        "\"\\u00e9\\t\"",
        "[]",
        "[1,\"x\",null,[true],{}]",
        "{}",
        "{\"a\":1,\"b\":{\"c\":[null]}}",
        "{\"a\":1,\"a\":2}",
        "{\"schema\":1}",
    ] {
        table.same("schemaless", call(BARE, text));
        table.same("schemaless", call(&[], envelope("null", text)));
    }
    for text in ["9223372036854775808", "-9223372036854775809", "1e400", "[-1e400]"] {
        table.add("schemaless", call(BARE, text), Some("schemaless-range"));
    }
    let schema = |schema_type: &str| format!("{{\"type\":\"{schema_type}\"}}");
    for text in ["-0.0".to_owned(), "[-0e5]".to_owned()] {
        table.add("negative-zero", call(BARE, text), Some("negative-zero"));
    }
    for schema_type in ["float", "double"] {
        let text = envelope(&schema(schema_type), "-0.0");
        table.add("negative-zero", call(&[], text), Some("negative-zero"));
    }
}

fn reader(table: &mut Table) {
    for text in [
        "007",
        "-007",
        "00.5",
        "+5",
        ".5",
        "5.",
        "1e",
        "1e+",
        "0x10",
        "--1",
        "- 1",
        "1_000",
        "NaN",
        "-Infinity",
        "nul",
        "nulls",
        "True",
        "'x'",
        "\"x",
        "\"\\x\"",
        "\"\\u12\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "[1,]",
        "[,1]",
        "[1,,2]",
        "[1 2]",
        "[1",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{1:2}",
        "{\"a\":1",
        "{\"a\":1]",
        "1 2",
        "1 x",
        "1}",
        "1,",
        "1]",
        "{} x",
        "[] ]",
        "\"x\" y",
        "\"x\"y",
        "/* c */ 1",
        "// c\n1",
        "# c\n1",
        "1 // c",
        "\u{feff}1",
        "\t\r\n 1",
        "\u{b}1",
        "\u{a0}1",
        "1\0",
        "true1",
        "12a",
        "1.5.5",
        "\"\\\"",
        "\"\\ud83d\\ude00\"",
        "\"\\u0041\\/\\b\\f\\n\\r\\t\\\\\\\"\"",
        "\"\u{7f}\u{80}\u{2028}\"",
        "\"\\U0041\"",
        "\"\\u00e\u{e9}\"",
    ] {
        table.same("reader", call(BARE, text));
    }
    for bytes in [&b"\"\xff\""[..], b"\"\xc3\"", b"\xff", b"{\"\xe9\":1}"] {
        table.same("reader", call(BARE, bytes));
    }
    table.same("reader", call(BARE, "{\"\\ud83d\":1}"));
    for text in ["\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83dx\""] {
        table.add("reader", call(BARE, text), Some("half-surrogate"));
    }
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    table.same("nesting", call(BARE, nested(200)));
    table.same("nesting", call(BARE, nested(1001)));
    table.add("nesting", call(BARE, nested(257)), Some("nesting"));
    table.add("nesting", call(BARE, nested(300)), Some("nesting"));
    let utf16 = |big: bool, text: &str| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    };
    for bytes in [
        utf16(true, "\u{feff}[1]"),
        utf16(false, "\u{feff}[1]"),
        utf16(true, "[1]"),
        utf16(false, "[1]"),
        b"\0\0\0[\0\0\0]".to_vec(),
        // Forms that UTF-8 forbids.
        b"\"\xc0\x80\"".to_vec(),
        b"\"\xf5\x80\x80\x80\"".to_vec(),
    ] {
        table.add("encoding", call(BARE, bytes), Some("json-encodings"));
    }
    table.same("encoding", call(BARE, b"\xef\xbb\xbf[1]"));
}

fn configuration(table: &mut Table) {
    let content = |schema: &'static str| [("schema.content", schema)];
    let envelope = "{\"schema\":{\"type\":\"int16\"},\"payload\":7}";
    for (config, differs) in [
        (
            content("{\"type\":\"int8\"}"),
            [
                None,
                Some("number-text"),
                None,
                Some("content-empty"),
                Some("number-text"),
            ],
        ),
        (
            content("{\"type\":\"string\",\"optional\":true}"),
            [
                Some("text-number"),
                None,
                None,
                Some("content-empty"),
                Some("text-number"),
            ],
        ),
        (
            content("{\"type\":\"struct\",\"fields\":[{\"type\":\"int16\",\"field\":\"payload\"}]}"),
            [None; 5],
        ),
        (content(""), [None; 5]),
        (content("null"), [None; 5]),
        (content("{\"type\":\"none\"}"), [None; 5]),
    ] {
        for (text, differs) in ["5", "\"x\"", "null", "", envelope].into_iter().zip(differs) {
            table.add("schema-content", call(&config, text), differs);
        }
    }
    let both = [
        ("schema.content", "{\"type\":\"int8\"}"),
        ("schemas.enable", "false"),
    ];
    for text in ["5", "\"x\"", "null"] {
        table.same("schema-content", call(&both, text));
    }
    for usage in [Usage::Key, Usage::Header] {
        for text in ["5", "{\"schema\":{\"type\":\"int8\"},\"payload\":5}"] {
            let converter = super::converter(wharf_converters::JSON_CONVERTER, usage, &[]);
            let bytes = Some(text.as_bytes().to_vec());
            table.same("usage", Call::To { converter, bytes });
        }
    }
}
