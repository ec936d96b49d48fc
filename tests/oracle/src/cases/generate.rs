//! Random schemas with values that suit them, and random texts of the tokens that parsers care about.
//!
//! Values are kept out of the ways of declared differences, so that whatever is made of them has to be the same.

use std::sync::Arc;

use wharf_api::{Decimal, Schema, SchemaBuilder, SchemaRef, SchemaType, Struct, Value, logical};

use super::samples::holds_bytes;
use super::{built, values_parse};
use wharf_test_services::Random;

const NAMES: [&str; 8] = ["a", "b", "id", "name", "a.b", "é😀", "with \"quotes\"", ""];

/// What a generated case may hold besides the plain.
#[derive(Clone, Copy)]
pub(super) struct Taste {
    /// Bytes, whose Java text is a hash.
    pub(super) bytes: bool,
    /// Infinite numbers, those that are none, and the negative zero.
    pub(super) infinite: bool,
}

pub(super) const ALL: Taste = Taste {
    bytes: true,
    infinite: true,
};

/// A schema of at most this depth.
fn schema(random: &mut Random, depth: usize, taste: Taste) -> SchemaRef {
    let mut builder = match random.below(if depth == 0 { 13 } else { 18 }) {
        0 => SchemaBuilder::int8(),
        1 => SchemaBuilder::int16(),
        2 => SchemaBuilder::int32(),
        3 => SchemaBuilder::int64(),
        4 => SchemaBuilder::float32(),
        5 => SchemaBuilder::float64(),
        6 => SchemaBuilder::boolean(),
        7 if taste.bytes => SchemaBuilder::bytes(),
        8 => SchemaBuilder::int32().name(logical::DATE).version(1),
        9 => SchemaBuilder::int32().name(logical::TIME).version(1),
        10 => SchemaBuilder::int64().name(logical::TIMESTAMP).version(1),
        11 => SchemaBuilder::bytes()
            .name(logical::DECIMAL)
            .version(1)
            .parameter(logical::SCALE_PARAMETER, ["-2", "0", "2", "7"][random.below(4)]),
        13 | 14 => SchemaBuilder::array(schema(random, depth - 1, taste)),
        15 => {
            let key = match random.below(3) {
                0 => schema(random, 0, taste),
                _ => Schema::string(),
            };
            SchemaBuilder::map(key, schema(random, depth - 1, taste))
        }
        16 | 17 => {
            let mut builder = SchemaBuilder::structure();
            for name in NAMES.iter().filter(|name| !name.is_empty()) {
                if random.once_in(3) {
                    builder = builder.field(*name, schema(random, depth - 1, taste));
                }
            }
            builder
        }
        _ => SchemaBuilder::string(),
    };
    if random.once_in(3) {
        builder = builder.optional();
    }
    let plain = built(builder.clone());
    if plain.name().is_none() && random.once_in(5) {
        builder = builder.name(random.one_of(&NAMES));
    }
    if plain.version().is_none() && random.once_in(6) {
        builder = builder.version(i32::try_from(random.below(4)).unwrap_or(0));
    }
    if random.once_in(8) {
        builder = builder.doc(random.one_of(&NAMES));
    }
    if random.once_in(8) {
        builder = builder
            .parameter(random.one_of(&NAMES), "v")
            .parameter("z", random.one_of(&NAMES));
    }
    // The default of a struct is a declared difference.
    if plain.schema_type() != SchemaType::Struct && random.once_in(5) {
        let default = some(random, &plain, taste);
        // Lists of bytes are never equal in Java, which makes equal schemas of two makers unequal.
        if plain.schema_type().is_primitive() || !holds_bytes(&default) {
            builder = builder.default_value(default);
        }
    }
    built(builder)
}

/// A value that suits the schema; null once in a while where that is fine.
fn value(random: &mut Random, schema: &SchemaRef, taste: Taste) -> Value {
    if schema.is_optional() && random.once_in(4) {
        return Value::Null;
    }
    some(random, schema, taste)
}

fn some(random: &mut Random, schema: &SchemaRef, taste: Taste) -> Value {
    let bits = random.bits();
    match (schema.schema_type(), schema.name()) {
        (SchemaType::Int32, Some(logical::DATE)) => Value::Date(days(random) * logical::MILLIS_PER_DAY),
        (SchemaType::Int32, Some(logical::TIME)) => Value::Date((bits % 86_400_001).cast_signed()),
        (SchemaType::Int64, Some(logical::TIMESTAMP)) => {
            Value::Date(days(random) * logical::MILLIS_PER_DAY + (bits % 86_400_000).cast_signed())
        }
        (SchemaType::Bytes, Some(logical::DECIMAL)) => {
            let scale = logical::scale(schema).unwrap_or(0);
            Value::from(Decimal::new(bits.cast_signed() >> random.below(64), scale))
        }
        (schema_type, _) => match schema_type {
            // The low bits of a random number are one too.
            SchemaType::Int8 => Value::Int8(integer(random) as i8),
            SchemaType::Int16 => Value::Int16(integer(random) as i16),
            SchemaType::Int32 => Value::Int32(integer(random) as i32),
            SchemaType::Int64 => Value::Int64(integer(random)),
            SchemaType::Float32 => Value::Float32(double(random, taste) as f32),
            SchemaType::Float64 => Value::Float64(double(random, taste)),
            SchemaType::Boolean => Value::Boolean(random.once_in(2)),
            SchemaType::String => Value::from(text(random, TEXT_TOKENS, 4)),
            SchemaType::Bytes => Value::from(&bits.to_le_bytes()[..random.below(9)]),
            SchemaType::Array => {
                let element = schema.value_schema().ok().flatten().cloned();
                let element = element.unwrap_or_else(Schema::string);
                (0..random.below(4))
                    .map(|_| value(random, &element, taste))
                    .collect::<Vec<_>>()
                    .into()
            }
            SchemaType::Map => entries(random, schema, taste),
            SchemaType::Struct => {
                let values = schema
                    .fields()
                    .unwrap_or_default()
                    .iter()
                    .map(|field| value(random, field.schema(), taste))
                    .collect();
                Value::from(Struct::from_values(Arc::clone(schema), values))
            }
        },
    }
}

fn entries(random: &mut Random, schema: &Schema, taste: Taste) -> Value {
    let part = |part: Option<&SchemaRef>| part.cloned().unwrap_or_else(Schema::string);
    let key_schema = part(schema.key_schema().ok().flatten());
    let value_schema = part(schema.value_schema().ok().flatten());
    let mut entries: Vec<(Value, Value)> = Vec::new();
    for _ in 0..random.below(4) {
        let key = value(random, &key_schema, taste);
        let item = value(random, &value_schema, taste);
        if entries.iter().all(|(known, _)| *known != key) {
            entries.push((key, item));
        }
    }
    Value::Map(entries)
}

/// Integers of all lengths.
fn integer(random: &mut Random) -> i64 {
    random.bits().cast_signed() >> random.below(64)
}

/// Days from the year 1700 to 2240.
fn days(random: &mut Random) -> i64 {
    i64::try_from(random.below(200_000)).unwrap_or(0) - 100_000
}

/// Mostly short decimals, as people have them.
fn double(random: &mut Random, taste: Taste) -> f64 {
    match random.below(12) {
        0 if taste.infinite => f64::NAN,
        1 if taste.infinite => f64::NEG_INFINITY,
        2 | 3 => f64::from(random.bits() as u32) / f64::from(1_u32 << random.below(32)),
        4 => f64::from(f32::from_bits(0x0080_0000 + random.bits() as u32 % 0x7e00_0000)),
        5 if taste.infinite => -0.0,
        _ => {
            let digits = integer(random) >> 32;
            let scale = i32::try_from(random.below(12)).unwrap_or(0) - 3;
            // Through text, which gives the nearest number to the decimal.
            format!("{digits}e{}", -scale).parse().unwrap_or(0.0)
        }
    }
}

pub(super) const TEXT_TOKENS: &[&str] = &[
    "a", "Z", " ", "\"", "\\", "/", "é", "😀", "日本", "\n", "\u{1}", "\u{7f}", "null", "5", ",", ":", "{",
    "]", "<", "'", "\u{2028}",
];
const VALUE_TOKENS: &[&str] = &[
    "[",
    "[",
    "]",
    "]",
    "{",
    "}",
    ":",
    ":",
    ",",
    ",",
    ",",
    "\"",
    "\"a\"",
    "\"b\"",
    "\"1\"",
    "1",
    "2",
    "-5",
    "300",
    "1.5",
    "1e3",
    "true",
    "false",
    "null",
    "abc",
    " ",
    "\\",
    "2019-08-23",
    "14:34:54.346Z",
    "2019-08-23T14:34:54.346Z",
    "é",
    "\"2019-08-23\"",
];
pub(super) const NUMBER_TOKENS: &[&str] = &[
    "1", "2", "9", "0", "-", "+", ".", "e", "E", "f", "d", "3", "128", " ", "_", "x", "5", "7", "00",
    "99999999",
];

pub(super) fn text(random: &mut Random, tokens: &[&str], most: usize) -> String {
    (0..random.below(most + 1))
        .map(|_| random.one_of(tokens))
        .collect()
}

/// A text that a parser of values has something to do with: tokens in any order, or an array or map with few mistakes.
pub(super) fn value_text(random: &mut Random) -> String {
    match random.below(4) {
        0 => text(random, VALUE_TOKENS, 9),
        1 => text(random, NUMBER_TOKENS, 6),
        2 => values_parse::TEXTS[random.below(values_parse::TEXTS.len())].to_owned(),
        _ => nested_text(random, 2),
    }
}

fn nested_text(random: &mut Random, depth: usize) -> String {
    const LEAVES: &[&str] = &[
        "1",
        "300",
        "70000",
        "1.5",
        "1e300",
        "true",
        "null",
        "\"x\"",
        "\"y z\"",
        "2019-08-23",
        "\"14:34:54.346Z\"",
        " 7 ",
        "9223372036854775808",
        "\"\\\"\"",
        "foo",
        "",
    ];
    // Most of the values of one container are of one kind, else hardly any would have a schema.
    let favourite = random.one_of(LEAVES);
    let item = |random: &mut Random, depth: usize| match random.below(8) {
        0 if depth > 0 => nested_text(random, depth - 1),
        1 => random.one_of(LEAVES).to_owned(),
        2 | 3 => format!("{}", integer(random) >> 40),
        _ => favourite.to_owned(),
    };
    let count = random.below(4);
    if random.once_in(2) {
        let items: Vec<String> = (0..count).map(|_| item(random, depth)).collect();
        format!("[{}]", items.join(","))
    } else {
        let entries: Vec<String> = (0..count)
            .map(|at| {
                let value = item(random, depth);
                match random.below(5) {
                    0 => format!("{at}:{value}"),
                    _ => format!("\"k{at}\":{value}"),
                }
            })
            .collect();
        format!("{{{}}}", entries.join(","))
    }
}

/// A schema with a value, neither very large.
pub(super) fn pair(random: &mut Random, taste: Taste) -> (SchemaRef, Value) {
    let schema = schema(random, 2, taste);
    let value = value(random, &schema, taste);
    (schema, value)
}

/// The schema as it may look in the next version: a little wider, most of the time.
pub(super) fn changed(random: &mut Random, from: &SchemaRef) -> SchemaRef {
    let part = |random: &mut Random, part: Option<&SchemaRef>| match part {
        Some(part) => changed(random, part),
        None => Schema::string(),
    };
    let is_logical = matches!(
        from.name(),
        Some(logical::DATE | logical::TIME | logical::TIMESTAMP | logical::DECIMAL)
    );
    let mut builder = match from.schema_type() {
        SchemaType::Array => SchemaBuilder::array(part(random, from.value_schema().ok().flatten())),
        SchemaType::Map => SchemaBuilder::map(
            part(random, from.key_schema().ok().flatten()),
            part(random, from.value_schema().ok().flatten()),
        ),
        SchemaType::Struct => {
            let mut builder = SchemaBuilder::structure();
            for field in from.fields().unwrap_or_default() {
                if !random.once_in(6) {
                    builder = builder.field(field.name(), changed(random, field.schema()));
                }
            }
            if random.once_in(3) {
                builder = builder.field("added", Schema::optional_int8());
            }
            builder
        }
        numeric if !is_logical && numeric < SchemaType::Float64 && random.once_in(3) => {
            SchemaBuilder::new(SchemaType::ALL[numeric as usize + 1])
        }
        other => SchemaBuilder::new(other),
    };
    if let Some(name) = from.name() {
        builder = builder.name(name);
    }
    builder = builder.parameters(from.parameters().unwrap_or_default().to_vec());
    if from.is_optional() != random.once_in(8) {
        builder = builder.optional();
    } else if from.schema_type() != SchemaType::Struct && random.once_in(2) {
        let plain = built(builder.clone());
        let default = some(random, &plain, ALL);
        builder = builder.default_value(default);
    }
    built(builder)
}
