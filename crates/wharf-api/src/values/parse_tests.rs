//! The inputs and results that were recorded from the Java implementation, in UTC.

use super::*;
use crate::java_text::to_java_string;

/// A short name of a schema: `ARRAY(INT8)`, `MAP(STRING,none)`, `Date`, `Decimal(-400)`.
fn name(schema: Option<&SchemaRef>) -> String {
    let Some(schema) = schema else {
        return "none".to_owned();
    };
    if let Some(full) = schema.name() {
        let short = full.rsplit('.').next().unwrap_or(full);
        return match schema.parameter("scale") {
            Some(scale) => format!("{short}({scale})"),
            None => short.to_owned(),
        };
    }
    match schema.schema_type() {
        SchemaType::Array => format!("ARRAY({})", name(schema.value_schema.as_ref())),
        SchemaType::Map => {
            format!(
                "MAP({},{})",
                name(schema.key_schema.as_ref()),
                name(schema.value_schema.as_ref())
            )
        }
        other => other.to_string(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Date(millis) => format!("@{millis}"),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(k, v)| format!("{}={}", text(k), text(v)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => to_java_string(&other.as_ref()),
    }
}

fn check(input: &str, schema: &str, value: &str) {
    let parsed = parse_in(input, &TimeZone::UTC);
    assert_eq!(
        (
            name(parsed.schema.as_ref()).as_str(),
            text(&parsed.value).as_str()
        ),
        (schema, value),
        "{input}"
    );
}

#[test]
fn what_does_not_read_as_anything_else_is_the_text_itself() {
    for input in [
        "",
        "   ",
        "TRUE",
        "True",
        "NULL",
        "nulls",
        "true x",
        "true,",
        ".5",
        "1_000",
        "0x1F",
        "1f",
        "1L",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "+",
        "--1",
        "1 2",
        "12abc",
        "1/2",
        "10.0.0.1:9092",
        "192.168.0.1",
        "1e2147483648",
        "5\\,6",
        "2019-8-23",
        "2019-08-23 x",
        "\"2019-08-23\"",
        "2019-08-23T14:34:54Z",
        "2019-08-23T14:34:54.346+01",
        "2019-08-23T14:34:54.346Z extra",
        "[1,null]",
        "[null,\"a\"]",
        "[1,,2]",
        "[,1]",
        "[1 2]",
        "[foo]",
        "[1,2",
        "[nullx]",
        "{\"a\":1,\"b\":null}",
        "{\"a\"}",
        "{a:1}",
        "{\"a\":1",
        "{:1}",
        "{1:}",
        "{6:9 4:20}",
        "\\[1]",
        "a:b",
        "'x'",
        "}{",
        "\"x\"",
        "{null:1}",
        "[\"a",
        "{\"a\":",
        "[",
        "{",
    ] {
        check(input, "STRING", input);
    }
}

#[test]
fn literals_are_recognised() {
    check(" true ", "BOOLEAN", "true");
    check("false", "BOOLEAN", "false");
    assert_eq!(parse_in(" null", &TimeZone::UTC), SchemaAndValue::NULL);
}

#[test]
fn numbers_have_the_smallest_type() {
    for (inputs, schema, value) in [
        (&["0", "-0", "0.0", "0E5"][..], "INT8", "0"),
        (&["+5", "5:abc", "5]"], "INT8", "5"),
        (&["007"], "INT8", "7"),
        (&["1.0", "1.", "1,2", "1\"2", "١"], "INT8", "1"),
        (&["1E+2"], "INT8", "100"),
        (&["12:30"], "INT8", "12"),
        (&["14:34:54Z", "14:34:54.346"], "INT8", "14"),
        (&["08:00:00.000Zabc"], "INT8", "8"),
        (&["128"], "INT16", "128"),
        (&["1e3"], "INT16", "1000"),
        (&["1.5e3"], "INT16", "1500"),
        (&["-129"], "INT16", "-129"),
        (&["32768"], "INT32", "32768"),
        (&["1e5"], "INT32", "100000"),
        (&["2147483648"], "INT64", "2147483648"),
        (&["9223372036854775808"], "Decimal(0)", "9223372036854775808"),
        (&["1e400"], "Decimal(-400)", "1E+400"),
        (&["1.5e400"], "Decimal(-399)", "1.5E+400"),
        (&["1.5"], "FLOAT32", "1.5"),
        (&["-.5"], "FLOAT32", "-0.5"),
        (&["+.5"], "FLOAT32", "0.5"),
        (&["1e-3"], "FLOAT32", "0.001"),
        (&["1e-400"], "FLOAT32", "0.0"),
        (&["3.4028235e38"], "FLOAT32", "3.4028235E38"),
        (&["3.4028236e38"], "FLOAT64", "3.4028236E38"),
        (&["1e39"], "FLOAT64", "1.0E39"),
        (&["1e2147483647"], "Decimal(-2147483647)", "1E+2147483647"),
        (&["1e-2147483647"], "FLOAT32", "0.0"),
    ] {
        for input in inputs {
            check(input, schema, value);
        }
    }
    let lossy = parse_in("123456789.123456789", &TimeZone::UTC);
    assert_eq!(lossy.value, Value::Float32(123_456_792.0));
}

#[test]
fn dates_and_times_are_chosen_by_length() {
    for (input, schema, value) in [
        ("2019-08-23", "Date", "@1566518400000"),
        ("2019-08-23,x", "Date", "@1566518400000"),
        ("2019-13-45", "Date", "@1581638400000"),
        ("2024-02-30", "Date", "@1709251200000"),
        ("20190-8-23", "Date", "@574987939200000"),
        ("2019-1-001", "Date", "@1546300800000"),
        ("14:34:54.346Z", "Time", "@52494346"),
        ("14:34:54.346Z]", "Time", "@52494346"),
        ("25:00:00.000Z", "Time", "@90000000"),
        ("2019-08-23T14:34:54.346Z", "Timestamp", "@1566570894346"),
        ("2019-08-23T14\\:34\\:54.346Z", "Timestamp", "@1566570894346"),
    ] {
        check(input, schema, value);
    }
    let lenient = parse_in("0000-00-00", &TimeZone::UTC);
    assert_eq!(name(lenient.schema.as_ref()), "Date");
}

#[test]
fn arrays_have_the_schema_that_their_elements_share() {
    for (input, schema, value) in [
        ("[]", "ARRAY(none)", "[]"),
        ("[ ]", "ARRAY(none)", "[]"),
        ("[null]", "ARRAY(none)", "[null]"),
        ("[null,null]", "ARRAY(none)", "[null, null]"),
        ("[1,2,3]", "ARRAY(INT8)", "[1, 2, 3]"),
        ("[1,2,]", "ARRAY(INT8)", "[1, 2]"),
        ("[1.0,2]", "ARRAY(INT8)", "[1, 2]"),
        ("[1, 2, 300]", "ARRAY(INT16)", "[1, 2, 300]"),
        ("[1,1.5]", "ARRAY(FLOAT32)", "[1.0, 1.5]"),
        ("[0.1,1]", "ARRAY(FLOAT32)", "[0.1, 1.0]"),
        ("[128,1.5,1e300]", "ARRAY(FLOAT64)", "[128.0, 1.5, 1.0E300]"),
        ("[1,\"a\"]", "ARRAY(none)", "[1, a]"),
        ("[true,1]", "ARRAY(none)", "[true, 1]"),
        ("[1,[2]]", "ARRAY(none)", "[1, [2]]"),
        (
            "[9223372036854775808,1]",
            "ARRAY(none)",
            "[9223372036854775808, 1]",
        ),
        ("[1e400]", "ARRAY(Decimal(-400))", "[1E+400]"),
        ("[1,2]x", "ARRAY(INT8)", "[1, 2]"),
        ("[1]true", "ARRAY(INT8)", "[1]"),
        ("[\"a\\\"b\"]", "ARRAY(STRING)", "[a\\\"b]"),
        ("[\"2019-08-23\"]", "ARRAY(Date)", "[@1566518400000]"),
        ("[2019-08-23]", "ARRAY(Date)", "[@1566518400000]"),
        (
            "[2019-08-23,14:34:54.346Z]",
            "ARRAY(Time)",
            "[@1566518400000, @52494346]",
        ),
        (
            "[2019-08-23T14:34:54.346Z,2019-08-23]",
            "ARRAY(Timestamp)",
            "[@1566570894346, @1566518400000]",
        ),
        ("[[1],[300]]", "ARRAY(ARRAY(INT16))", "[[1], [300]]"),
        ("[[],[1]]", "ARRAY(ARRAY(INT8))", "[[], [1]]"),
    ] {
        check(input, schema, value);
    }
}

#[test]
fn maps_have_the_schemas_that_their_keys_and_values_share() {
    for (input, schema, value) in [
        ("{}", "MAP(none,none)", "{}"),
        ("{\"a\":1}", "MAP(STRING,INT8)", "{a=1}"),
        ("{\"a\":1,}", "MAP(STRING,INT8)", "{a=1}"),
        ("{\"a\":1 \"b\":2}", "MAP(STRING,INT8)", "{a=1, b=2}"),
        ("{\"a\":1,\"b\":\"x\"}", "MAP(STRING,none)", "{a=1, b=x}"),
        ("{\"a\":null}", "MAP(STRING,none)", "{a=null}"),
        ("{1:2,300:4}", "MAP(INT16,INT8)", "{1=2, 300=4}"),
        ("{1:1,\"x\":2}", "MAP(none,none)", "{1=1, x=2}"),
        (
            "{\"a\":[1,2],\"b\":[\"x\"]}",
            "MAP(STRING,ARRAY(STRING))",
            "{a=[1, 2], b=[x]}",
        ),
        ("{\"k\":14:34:54.346Z}", "MAP(STRING,Time)", "{k=@52494346}"),
        ("{\"a\":true,\"a\":false}", "MAP(STRING,BOOLEAN)", "{a=false}"),
    ] {
        check(input, schema, value);
    }
}

#[test]
fn elements_of_an_inner_array_keep_their_own_type() {
    let parsed = parse_in("[[1],[300]]", &TimeZone::UTC);
    let inner = |value: Value| Value::Array(vec![value]);
    assert_eq!(
        parsed.value,
        Value::Array(vec![inner(Value::Int8(1)), inner(Value::Int16(300))])
    );
}

#[test]
fn deep_nesting_is_text_and_not_a_crash() {
    let deep = "[".repeat(200_000);
    check(&deep, "STRING", &deep);
    let closed = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    assert!(parse_in(&closed, &TimeZone::UTC).value.as_array().is_some());
}
