//! `(confluent.field_meta).params`: what a field's options say about its Connect type.
//!
//! In `.proto` text the option arrives as the text of a message; in a serialized descriptor as bytes of an extension, which the
//! descriptor's types drop, so they are read from the bytes again.

use std::collections::HashMap;

use prost_types::FieldOptions;

use crate::wire::{Cursor, WireType};

/// Keys and values.
pub(crate) type Params = Vec<(String, String)>;

const OPTION: &str = "confluent.field_meta";
/// The extension's number in field options.
const EXTENSION: u32 = 1088;

/// The parameters in options of parsed text.
pub(crate) fn from_options(options: Option<&FieldOptions>) -> Option<Params> {
    let option = options?.uninterpreted_option.iter().find(|option| {
        option
            .name
            .first()
            .is_some_and(|part| part.is_extension && part.name_part.trim_start_matches('.') == OPTION)
    })?;
    Some(pairs(option.aggregate_value.as_deref()?))
}

/// Pairs of `key` and `value` within one pair of braces.
fn pairs(text: &str) -> Params {
    let mut found = Params::new();
    let (mut key, mut value, mut word) = (None, None, String::new());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' | '\'' => {
                let mut literal = String::new();
                while let Some(next) = characters.next().filter(|next| *next != character) {
                    literal.push(if next == '\\' {
                        characters.next().unwrap_or('\\')
                    } else {
                        next
                    });
                }
                match word.as_str() {
                    "key" => key = Some(literal),
                    "value" => value = Some(literal),
                    _ => {}
                }
                word.clear();
            }
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => {
                word.push(character);
                let goes_on = |next: &char| next.is_ascii_alphanumeric() || *next == '_';
                while let Some(next) = characters.next_if(goes_on) {
                    word.push(next);
                }
                if !matches!(word.as_str(), "key" | "value") {
                    word.clear();
                }
            }
            '{' | '}' | '<' | '>' => {
                if let (Some(key), Some(value)) = (key.take(), value.take()) {
                    found.push((key, value));
                }
            }
            _ => {}
        }
    }
    if let (Some(key), Some(value)) = (key, value) {
        found.push((key, value));
    }
    found
}

/// The parameters in a serialized file descriptor, by full name of the message and name of the field.
pub(crate) fn from_descriptor(bytes: &[u8], package: &str) -> HashMap<(String, String), Params> {
    let mut found = HashMap::new();
    for message in blocks(bytes, 4) {
        in_message(message, package, 0, &mut found);
    }
    found
}

fn in_message(bytes: &[u8], scope: &str, depth: usize, found: &mut HashMap<(String, String), Params>) {
    if depth > crate::wire::MAX_DEPTH {
        return;
    }
    let text = |bytes: &[u8]| {
        blocks(bytes, 1)
            .last()
            .map(|name| String::from_utf8_lossy(name).into_owned())
    };
    let name = text(bytes).unwrap_or_default();
    let full_name = if scope.is_empty() {
        name
    } else {
        format!("{scope}.{name}")
    };
    for field in blocks(bytes, 2) {
        let params: Params = blocks(field, 8)
            .into_iter()
            .flat_map(|options| blocks(options, EXTENSION))
            .flat_map(|meta| blocks(meta, 2))
            .filter_map(|entry| {
                let part = |number| {
                    blocks(entry, number)
                        .last()
                        .map(|text| String::from_utf8_lossy(text).into_owned())
                };
                Some((part(1)?, part(2)?))
            })
            .collect();
        if let (Some(field), false) = (text(field), params.is_empty()) {
            found.insert((full_name.clone(), field), params);
        }
    }
    for nested in blocks(bytes, 3) {
        in_message(nested, &full_name, depth + 1, found);
    }
}

/// The blocks of a field. What is malformed ends the search; the descriptor was accepted before.
fn blocks(bytes: &[u8], wanted: u32) -> Vec<&[u8]> {
    let mut cursor = Cursor::new(bytes);
    let mut found = Vec::new();
    while !cursor.is_empty() {
        let Ok((number, wire_type)) = cursor.tag() else {
            break;
        };
        if number == wanted && wire_type == WireType::Block {
            match cursor.block() {
                Ok(block) => found.push(block),
                Err(_) => break,
            }
        } else if cursor.skip(number, wire_type, 0).is_err() {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_in_any_form() {
        let expected = [
            ("scale".to_owned(), "2".to_owned()),
            ("a".to_owned(), "b\"".to_owned()),
        ];
        for text in [
            r#"params: [ { value: "2", key: "scale" }, { key: "a", value: "b\"" } ]"#,
            r#"doc: "key: x" params { key: "scale" value: "2" } params { key: 'a' value: 'b"' } tags: "value""#,
        ] {
            assert_eq!(pairs(text), expected, "{text}");
        }
        assert_eq!(
            pairs(r#"key: "a" value: "b""#),
            [("a".to_owned(), "b".to_owned())]
        );
        assert!(pairs("params: [").is_empty() && pairs("\"").is_empty());
    }
}
