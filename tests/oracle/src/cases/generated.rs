//! The cases that are made from seeds, kind by kind.

use wharf_api::Schema;
use wharf_converters::{SIMPLE_HEADER_CONVERTER, STRING_CONVERTER};

use super::generate::{ALL, NUMBER_TOKENS, TEXT_TOKENS, Taste, changed, pair, text, value_text};
use super::{Table, config_parse, converter, json, json_text};
use crate::case::{CONVERSIONS, Call, Usage};

const JSON_CONFIGS: [&[(&str, &str)]; 5] = [
    &[],
    &[("schemas.enable", "false")],
    &[("decimal.format", "NUMERIC")],
    &[("replace.null.with.default", "false")],
    &[
        ("schemas.enable", "false"),
        ("decimal.format", "numeric"),
        ("replace.null.with.default", "false"),
    ],
];

pub(super) fn json_from(table: &mut Table) {
    let mut random = table.random(0x0001_4a53_4f4e);
    for _ in 0..table.times(110) {
        let (schema, value) = pair(&mut random, ALL);
        let call = Call::From {
            converter: json(random.one_of(&JSON_CONFIGS)),
            schema: (!random.once_in(8)).then_some(schema),
            value,
        };
        table.same("generated", call);
    }
}

pub(super) fn json_to(table: &mut Table) {
    let mut random = table.random(0x0002_4a53_4f4e);
    let taste = Taste {
        infinite: false,
        ..ALL
    };
    for _ in 0..table.times(110) {
        let (schema, value) = pair(&mut random, taste);
        let config = random.one_of(&JSON_CONFIGS);
        let message = json_text::message(&mut random, &schema, &value);
        table.same(
            "generated",
            Call::To {
                converter: json(config),
                bytes: Some(message.into_bytes()),
            },
        );
    }
}

/// Messages with one mistake: a structural character too few, too many, or another one.
pub(super) fn json_broken(table: &mut Table) {
    const STRUCTURAL: [char; 7] = ['{', '}', '[', ']', ':', ',', '"'];
    let mut random = table.random(0x000c_4252_4f4b);
    let taste = Taste {
        infinite: false,
        ..ALL
    };
    for _ in 0..table.times(50) {
        let (schema, value) = pair(&mut random, taste);
        let config = random.one_of(&JSON_CONFIGS);
        let mut message = json_text::message(&mut random, &schema, &value);
        let places: Vec<usize> = message
            .char_indices()
            .filter(|(_, c)| STRUCTURAL.contains(c))
            .map(|(at, _)| at)
            .collect();
        if places.is_empty() {
            continue;
        }
        let at = random.one_of(&places);
        match random.below(3) {
            0 => drop(message.remove(at)),
            1 => message.insert(at, random.one_of(&STRUCTURAL)),
            _ => message.replace_range(at..=at, random.one_of(&["{", "}", "[", "]", ":", ",", "\""])),
        }
        let call = Call::To {
            converter: json(config),
            bytes: Some(message.into_bytes()),
        };
        table.same("generated-broken", call);
    }
}

/// Texts of the tokens that a reader of JSON cares about, whole and broken.
pub(super) fn json_reader(table: &mut Table) {
    const TOKENS: &[&str] = &[
        "[", "[", "]", "]", "{", "}", "{\"a\":", ",", ",", ":", "\"a\"", "\"\"", "\"\\n\"", "\"", "\\u0041",
        "1", "0", "-", ".", "e", "E+", "5", "true", "false", "null", " ", "\n", "é", "\"é\"", "tru", "1.5",
        "-7", "01",
    ];
    let mut random = table.random(0x000b_5245_4144);
    for _ in 0..table.times(150) {
        let text = text(&mut random, TOKENS, 7);
        table.same(
            "generated-reader",
            Call::To {
                converter: json(&[("schemas.enable", "false")]),
                bytes: Some(text.into_bytes()),
            },
        );
    }
}

pub(super) fn strings(table: &mut Table) {
    let mut random = table.random(0x0003_5354_5249);
    let taste = Taste { bytes: false, ..ALL };
    for _ in 0..table.times(60) {
        let (schema, value) = pair(&mut random, taste);
        let call = Call::From {
            converter: converter(STRING_CONVERTER, Usage::Value, &[]),
            schema: Some(schema),
            value,
        };
        table.same("generated", call);
    }
}

pub(super) fn headers(table: &mut Table) {
    let mut random = table.random(0x0004_4845_4144);
    let simple = || converter(SIMPLE_HEADER_CONVERTER, Usage::Header, &[]);
    for _ in 0..table.times(60) {
        let (schema, value) = pair(&mut random, ALL);
        let call = Call::From {
            converter: simple(),
            schema: Some(schema),
            value,
        };
        table.same("generated", call);
        let bytes = Some(value_text(&mut random).into_bytes());
        table.same(
            "generated",
            Call::To {
                converter: simple(),
                bytes,
            },
        );
    }
}

pub(super) fn parse(table: &mut Table) {
    let mut random = table.random(0x0005_5041_5253);
    for _ in 0..table.times(300) {
        let text = value_text(&mut random);
        table.same("generated", Call::Parse { text });
    }
}

pub(super) fn convert(table: &mut Table) {
    let mut random = table.random(0x0006_434f_4e56);
    for _ in 0..table.times(150) {
        let (schema, value) = match random.below(3) {
            0 => (Schema::string(), value_text(&mut random).into()),
            1 => (Schema::string(), text(&mut random, NUMBER_TOKENS, 6).into()),
            _ => pair(&mut random, ALL),
        };
        let call = Call::Convert {
            target: random.one_of(&CONVERSIONS),
            scale: i32::try_from(random.below(5)).unwrap_or(0) - 1,
            schema: (!random.once_in(5)).then_some(schema),
            value,
        };
        table.same("generated", call);
    }
}

pub(super) fn texts(table: &mut Table) {
    let mut random = table.random(0x0007_5445_5854);
    for _ in 0..table.times(100) {
        let (_, value) = pair(&mut random, ALL);
        table.same("generated", Call::Text { value });
    }
}

pub(super) fn inferences(table: &mut Table) {
    let mut random = table.random(0x0008_494e_4645);
    for _ in 0..table.times(60) {
        let (_, value) = pair(&mut random, ALL);
        table.same("generated", Call::Infer { value });
    }
}

pub(super) fn project(table: &mut Table) {
    let mut random = table.random(0x0009_5052_4f4a);
    for _ in 0..table.times(100) {
        let (schema, value) = pair(&mut random, ALL);
        let target = changed(&mut random, &schema);
        table.same(
            "generated",
            Call::Project {
                schema,
                value,
                target,
            },
        );
    }
}

pub(super) fn config(table: &mut Table) {
    let mut random = table.random(0x000a_434f_4e46);
    for _ in 0..table.times(120) {
        let text = match random.below(3) {
            0 => text(&mut random, TEXT_TOKENS, 5),
            _ => text(&mut random, NUMBER_TOKENS, 5),
        };
        let target = random.one_of(&config_parse::TYPES);
        table.same("generated", Call::Config { target, text });
    }
}
