//! The deliberate differences, one for each row of the sections "Data and converters" and "JsonConverter" in
//! `docs/conformance.md`.
//!
//! A case says which one it must show ([`Case::differs`](crate::Case)); if it does not, the row is no longer true. Where
//! differing cases cannot be told beforehand, because it takes the value to know, a difference has a shape instead.

use serde_json::Value as Json;
use wharf_api::{ConnectError, ErrorKind, Value};

use crate::compare::Jvm;
use crate::ours::Outcome;
use crate::record_codec::record_to_json;

/// Tells whether two answers differ in the declared way and in no other.
pub type Shape = fn(&Jvm, &Result<Outcome, ConnectError>) -> bool;

/// A declared difference.
#[derive(Debug, Clone, Copy)]
pub struct Difference {
    /// The name that cases use.
    pub id: &'static str,
    /// How its row in the document begins.
    pub row: &'static str,
    /// Why ours is not upstream's way.
    pub why: &'static str,
    /// For cases that are not marked.
    pub shape: Option<Shape>,
}

const SILENT: &str = "a value that does not suit its schema is refused, never altered silently";

const fn marked(id: &'static str, row: &'static str, why: &'static str) -> Difference {
    Difference {
        id,
        row,
        why,
        shape: None,
    }
}

/// All of them.
pub const DIFFERENCES: &[Difference] = &[
    marked(
        "bytes-text",
        "| text of bytes ",
        "an identity hash says nothing and changes from run to run",
    ),
    Difference {
        id: "float-text",
        row: "| text of floating-point numbers ",
        why: "the JVM that recorded is older than Java 19 and writes more digits than needed",
        shape: Some(only_float_texts_differ),
    },
    marked(
        "charsets",
        "| `converter.encoding` ",
        "UTF-32 is not built in, as nobody uses it in Kafka",
    ),
    marked(
        "zone-names",
        "| names of time zones in the text of dates ",
        "there is no other list of names here than that of the time zone database",
    ),
    marked("integer-range", "| integer types, a number out of range", SILENT),
    marked(
        "integer-fraction",
        "| integer types, a number with a fraction",
        SILENT,
    ),
    marked("number-text", "| number types, a text", SILENT),
    marked(
        "change-event-config",
        "| Debezium's transformations, a wrong setting ",
        "the user need not look for the reason in the log",
    ),
    marked(
        "change-event-map",
        "| `ExtractNewRecordState`, a map in `add.fields` ",
        "the map's schema is known",
    ),
    marked(
        "change-event-null",
        "| `ExtractNewRecordState`, `drop.fields.header.name` ",
        "a null pointer is no answer",
    ),
    marked(
        "float-names",
        "| floats, `\"NaN\"`",
        "what the writer wrote can be read",
    ),
    marked(
        "negative-zero",
        "| floats and no schema, `-0.0`",
        "the sign is part of the number",
    ),
    marked("content-empty", "| `schema.content`, an empty message", SILENT),
    marked("float-range", "| floats, a finite number beyond", SILENT),
    marked("boolean-other", "| BOOLEAN, anything else", SILENT),
    Difference {
        id: "text-number",
        row: "| STRING or BYTES, a number",
        why: SILENT,
        shape: Some(a_number_became_null),
    },
    marked("array-other", "| ARRAY, anything else", SILENT),
    marked(
        "timestamp-range",
        "| Timestamp, an integer beyond 64 bits",
        SILENT,
    ),
    Difference {
        id: "schemaless-range",
        row: "| no schema, an integer beyond 64 bits",
        why: SILENT,
        shape: Some(only_the_low_bits_are_left),
    },
    marked("version-range", "| a schema's `version` beyond 32 bits", SILENT),
    marked(
        "half-surrogate",
        "| half of a surrogate pair",
        "such a text has no UTF-8 form and would be lost later",
    ),
    marked("nesting", "| nesting ", "the stack of a thread is smaller"),
    marked("json-encodings", "| encodings ", "JSON between systems is UTF-8"),
    marked(
        "struct-default",
        "| a default that is a struct, writing ",
        "upstream compares a schema with its own builder",
    ),
    marked(
        "struct-default-read",
        "| a default that is a struct, reading ",
        "what was written can be read",
    ),
    marked(
        "struct-default-copied",
        "| transformations of a struct, a null field whose default is a struct ",
        "upstream's own default fails its own comparison of schemas, and the record with it",
    ),
    Difference {
        id: "blanks-before-bracket",
        row: "| header texts of blanks and a bracket ",
        why: "the rest of the header would be lost",
        shape: Some(only_the_blanks_are_left),
    },
    marked(
        "double-hex",
        "| configuration values of type DOUBLE ",
        "nobody writes a setting in hexadecimal floating point",
    ),
];

/// The difference with this id.
#[must_use]
pub fn named(id: &str) -> Option<&'static Difference> {
    DIFFERENCES.iter().find(|difference| difference.id == id)
}

/// The sections of the document that belong here.
const SECTIONS: [&str; 2] = ["Data and converters\n", "JsonConverter\n"];

/// What does not fit between [`DIFFERENCES`] and the text of `docs/conformance.md`: a difference without its row, or a
/// row of the sections without a difference.
#[must_use]
pub fn unmatched(document: &str) -> Vec<String> {
    let rows: Vec<&str> = document
        .split("\n## ")
        .filter(|section| SECTIONS.iter().any(|name| section.starts_with(name)))
        .flat_map(rows)
        .collect();
    let without_row = DIFFERENCES
        .iter()
        .filter(|difference| !rows.iter().any(|row| row.starts_with(difference.row)))
        .map(|difference| {
            format!(
                "difference \"{}\" has no row \"{}…\"",
                difference.id, difference.row
            )
        });
    let without_difference = rows
        .iter()
        .filter(|row| {
            !DIFFERENCES
                .iter()
                .any(|difference| row.starts_with(difference.row))
        })
        .map(|row| format!("no case shows the row \"{row}\""));
    without_row.chain(without_difference).collect()
}

/// The lines of the tables of a section, without their heads.
fn rows(section: &str) -> Vec<&str> {
    let mut rows = Vec::new();
    for line in section.lines().filter(|line| line.starts_with('|')) {
        if line.starts_with("|---") {
            rows.pop();
        } else {
            rows.push(line);
        }
    }
    rows
}

/// Of a text that begins with blanks and a bracket and does not read as an array or map, upstream keeps the blanks.
fn only_the_blanks_are_left(jvm: &Jvm, ours: &Result<Outcome, ConnectError>) -> bool {
    let (Ok(Outcome::Pair(jvm)), Ok(Outcome::Pair(ours))) = (jvm, ours) else {
        return false;
    };
    let (Some(blanks), Some(whole)) = (jvm.value.as_str(), ours.value.as_str()) else {
        return false;
    };
    let rest = whole.strip_prefix(blanks);
    jvm.schema == ours.schema
        && blanks.chars().all(|c| c <= ' ')
        && rest.is_some_and(|rest| rest.starts_with(['[', '{']))
}

/// Two texts, or numbers read from such, that are equal but for numbers that are the same number with other digits.
fn only_float_texts_differ(jvm: &Jvm, ours: &Result<Outcome, ConnectError>) -> bool {
    match (jvm, ours) {
        (Ok(Outcome::Bytes(Some(jvm))), Ok(Outcome::Bytes(Some(ours)))) => {
            match (std::str::from_utf8(jvm), std::str::from_utf8(ours)) {
                (Ok(jvm), Ok(ours)) => same_but_for_floats(jvm, ours),
                _ => false,
            }
        }
        // A decimal from a floating-point number is read from its text.
        (Ok(Outcome::Value(Value::Decimal(jvm))), Ok(Outcome::Value(Value::Decimal(ours)))) => {
            jvm.to_f64() == ours.to_f64()
        }
        (Ok(Outcome::Value(Value::String(jvm))), Ok(Outcome::Value(Value::String(ours)))) => {
            same_but_for_floats(jvm, ours)
        }
        (Ok(Outcome::Record(Some(jvm))), Ok(Outcome::Record(Some(ours)))) => {
            same_but_for_texts(&record_to_json(jvm), &record_to_json(ours), false)
        }
        _ => false,
    }
}

fn same_but_for_floats(left: &str, right: &str) -> bool {
    let (left, right) = (tokens(left), tokens(right));
    left.len() == right.len() && left.iter().zip(&right).all(|(a, b)| a == b || same_float(a, b))
}

/// The text cut into runs that could be numbers and runs that could not.
fn tokens(text: &str) -> Vec<&str> {
    let in_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'E' | '-');
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest
            .find(|c| in_number(c) != in_number(first))
            .unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        tokens.push(token);
        rest = after;
    }
    tokens
}

fn same_float(left: &str, right: &str) -> bool {
    /// No shortest text of a 32-bit number has more digits: nine, and two of the exponent.
    const FLOAT32_DIGITS: usize = 11;
    if !left.contains('.') || !right.contains('.') {
        return false;
    }
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).count();
    match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(a), Ok(b)) if a == b => true,
        (Ok(a), Ok(b)) => {
            digits(right) <= FLOAT32_DIGITS
                && (a - b).abs() <= a.abs() * 1e-6
                && left.parse::<f32>() == right.parse::<f32>()
        }
        _ => false,
    }
}

/// Two records in their JSON form that are equal but for texts with floats, where those are values or defaults.
fn same_but_for_texts(left: &Json, right: &Json, is_value: bool) -> bool {
    /// What holds values; a float itself is under the name of its class.
    const VALUES: [&str; 5] = ["key", "value", "default", "map", "values"];
    match (left, right) {
        (Json::String(left), Json::String(right)) => {
            left == right || is_value && same_but_for_floats(left, right)
        }
        (Json::Array(left), Json::Array(right)) => {
            let mut pairs = left.iter().zip(right);
            left.len() == right.len() && pairs.all(|(left, right)| same_but_for_texts(left, right, is_value))
        }
        (Json::Object(left), Json::Object(right)) => {
            let mut entries = left.iter();
            left.len() == right.len()
                && entries.all(|(name, left)| {
                    let is_value = VALUES.contains(&name.as_str());
                    right
                        .get(name)
                        .is_some_and(|right| same_but_for_texts(left, right, is_value))
                })
        }
        (left, right) => left == right,
    }
}

/// Upstream has null at the very place of which ours says that a number cannot be read as text or bytes.
fn a_number_became_null(jvm: &Jvm, ours: &Result<Outcome, ConnectError>) -> bool {
    let (Ok(Outcome::Pair(jvm)), Err(ours)) = (jvm, ours) else {
        return false;
    };
    refused_number(ours).is_some_and(|(number, path, why)| {
        number.trim_end_matches('…').parse::<f64>().is_ok()
            && ["STRING: it is of another type;", "BYTES: it is of another type;"]
                .iter()
                .any(|start| why.starts_with(start))
            && holds(&jvm.value, path, &Value::Null)
    })
}

/// Without schema, upstream has the low 64 bits of an integer at the very place of which ours says that it is too large.
fn only_the_low_bits_are_left(jvm: &Jvm, ours: &Result<Outcome, ConnectError>) -> bool {
    let (Ok(Outcome::Pair(jvm)), Err(ours)) = (jvm, ours) else {
        return false;
    };
    refused_number(ours).is_some_and(|(number, path, why)| {
        jvm.schema.is_none()
            && number.parse::<i64>().is_err()
            && why.starts_with("INT64: it is not a whole number in the range of that type;")
            && low_bits(number).is_some_and(|low| holds(&jvm.value, path, &Value::Int64(low)))
    })
}

/// The low 64 bits of an integer of any length.
fn low_bits(number: &str) -> Option<i64> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let low = digits.chars().try_fold(0_i64, |low, digit| {
        let digit = digit.to_digit(10)?;
        Some(low.wrapping_mul(10).wrapping_add(i64::from(digit)))
    })?;
    Some(if digits == number { low } else { low.wrapping_neg() })
}

/// The number that was refused, the path to it, and what is wrong with it.
fn refused_number(error: &ConnectError) -> Option<(&str, &str, &str)> {
    let (number, rest) = error.message().strip_prefix("the value ")?.split_once(" at $")?;
    let (path, why) = rest.split_once(" cannot be read as ")?;
    (error.kind() == ErrorKind::Data).then_some((number, path, why))
}

/// Whether a value holds another at a path such as `.a[1].b`, in one of the ways to read it: names may hold dots and
/// brackets.
fn holds(value: &Value, path: &str, wanted: &Value) -> bool {
    let named = |name: &str, inner: &Value| {
        let rest = path.strip_prefix('.').and_then(|path| path.strip_prefix(name));
        rest.is_some_and(|rest| holds(inner, rest, wanted))
    };
    if path.is_empty() {
        return value == wanted;
    }
    match value {
        Value::Array(items) => items.iter().enumerate().any(|(position, item)| {
            let rest = path.strip_prefix(&format!("[{position}]"));
            rest.is_some_and(|rest| holds(item, rest, wanted))
        }),
        Value::Struct(inner) => inner
            .schema()
            .fields()
            .unwrap_or_default()
            .iter()
            .zip(inner.values())
            .any(|(field, value)| named(field.name(), value)),
        Value::Map(entries) => entries
            .iter()
            .any(|(key, value)| key.as_str().is_some_and(|key| named(key, value))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{Record, SchemaAndValue};

    use super::*;
    use crate::compare::Refusal;

    #[test]
    fn only_other_digits_of_the_same_number_are_excused() {
        for (left, right, same) in [
            ("2.0E-3", "2.00E-3", true),
            ("[1.17549435E-38,x]", "[1.1754944E-38,x]", true),
            (
                "{\"a\":8.7633559325214945E18}",
                "{\"a\":8.763355932521495E18}",
                true,
            ),
            ("1.5", "1.6", false),
            ("1.5", "1.5f", false),
            ("15", "16", false),
            ("1.5,2", "1.5", false),
        ] {
            assert_eq!(same_but_for_floats(left, right), same, "{left} {right}");
        }
    }

    #[test]
    fn only_texts_of_a_record_may_have_other_digits() {
        let record = |topic: &str, value: Value| {
            Ok(Outcome::Record(Some(Box::new(
                Record::sink(topic, 0, 0).with_value(None, value),
            ))))
        };
        let list = |text: &str, float: f64| Value::Array(vec![text.into(), float.into()]);
        let jvm: Jvm = record("1.50", list("1.50", 2.5));
        for (topic, text, float, same) in [
            ("1.50", "1.5", 2.5, true),
            ("1.5", "1.50", 2.5, false),
            ("1.50", "1.6", 2.5, false),
            ("1.50", "1.5", 2.500_000_1, false),
        ] {
            let ours = record(topic, list(text, float)).map_err(|_: Refusal| ConnectError::data("none"));
            assert_eq!(
                only_float_texts_differ(&jvm, &ours),
                same,
                "{topic} {text} {float}"
            );
        }
    }

    #[test]
    fn only_what_upstream_makes_of_a_refused_number_is_excused() {
        const BYTES: &str = "BYTES: it is of another type; x";
        const INT64: &str = "INT64: it is not a whole number in the range of that type; x";
        let list = |schema, items: Vec<Value>| -> Jvm {
            let value = Value::Map(vec![("a.b".into(), Value::Array(items))]);
            Ok(Outcome::Pair(SchemaAndValue { schema, value }))
        };
        let schema = || Some(wharf_api::Schema::int8());
        let null = list(schema(), vec![1.into(), Value::Null]);
        let wrapped = list(None, vec![Value::Int64(-6_350_449_863_151_990_955)]);
        let typed = list(schema(), vec![Value::Int64(-6_350_449_863_151_990_955)]);
        for (jvm, number, path, why, excused) in [
            (&null, "1.5", "$.a.b[1]", BYTES, true),
            (&null, "1.5", "$.a.b[1]", "STRING: it is of another type; x", true),
            (&null, "1.5", "$.a.b[0]", BYTES, false),
            (&null, "1.5", "$.b[1]", BYTES, false),
            (&null, "{}", "$.a.b[1]", BYTES, false),
            (&null, "1.5", "$.a.b[1]", "INT8: it is of another type; x", false),
            (&wrapped, "25055837189988346616989525", "$.a.b[0]", INT64, true),
            (&wrapped, "25055837189988346616989526", "$.a.b[0]", INT64, false),
            (&wrapped, "-6350449863151990955", "$.a.b[0]", INT64, false),
            (&typed, "25055837189988346616989525", "$.a.b[0]", INT64, false),
        ] {
            let message = format!("the value {number} at {path} cannot be read as {why}");
            let ours = Err(ConnectError::data(message.as_str()));
            let holds = a_number_became_null(jvm, &ours) || only_the_low_bits_are_left(jvm, &ours);
            assert_eq!(holds, excused, "{message}");
        }
    }

    #[test]
    fn ids_are_unique() {
        for difference in DIFFERENCES {
            let same = DIFFERENCES.iter().filter(|other| other.id == difference.id);
            assert_eq!(same.count(), 1, "{}", difference.id);
        }
    }

    #[test]
    fn rows_and_differences_must_match_both_ways() {
        let document = |rows: &str| {
            let (first, second) = rows.split_at(rows.find("| integer types").unwrap());
            format!(
                "# T\n\n## Data and converters\n\n| Area |\n|---|\n{first}\n## JsonConverter\n\n| Area |\n|---|\n{second}\n\
                 ## Log\n\n| nesting |\n"
            )
        };
        let all: String = DIFFERENCES
            .iter()
            .map(|difference| format!("{}| more |\n", difference.row))
            .collect();
        assert_eq!(unmatched(&document(&all)), Vec::<String>::new());
        let other = all.replace("| nesting ", "| nests ");
        assert_eq!(
            unmatched(&document(&other)),
            [
                "difference \"nesting\" has no row \"| nesting …\"",
                "no case shows the row \"| nests | more |\""
            ]
        );
    }
}
