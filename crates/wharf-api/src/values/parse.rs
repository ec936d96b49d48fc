//! Guesses schema and value of a text.
//!
//! The text is cut into tokens at each `: , { } [ ] "` that no backslash escapes. What reads as an array or a map is
//! one (anything behind its end is ignored), numbers and dates take the first tokens, `null`, `true` and `false` the
//! whole text; everything else is the text itself. Escapes stay in the texts they are found in.

use std::collections::HashMap;

use jiff::tz::TimeZone;

use super::convert::convert;
use super::digit_value;
use super::number::parse_number;
use super::temporal::parse_temporal;
use crate::converter::SchemaAndValue;
use crate::error::{ConnectError, Result};
use crate::flat::{self, MAX_DEPTH, SchemaTable};
use crate::schema::{Schema, SchemaRef, SchemaType};
use crate::value::Value;
use crate::zone;

/// The value that this text stands for; `null` gives [`SchemaAndValue::NULL`].
///
/// Any text stands for something: what reads as nothing else is a text. So are containers nested deeper than
/// [`flat::MAX_DEPTH`].
///
/// A text of blanks and a bracket that is no array or map is kept whole; upstream keeps only the blanks.
#[must_use]
pub fn parse_string(text: &str) -> SchemaAndValue {
    parse_in(text, &zone::system())
}

pub(super) fn parse_in(text: &str, zone: &TimeZone) -> SchemaAndValue {
    let literal = match trim(text) {
        "" => Some(whole(text)),
        "null" => Some(SchemaAndValue::NULL),
        "true" => Some(SchemaAndValue::new(Some(Schema::boolean()), true)),
        "false" => Some(SchemaAndValue::new(Some(Schema::boolean()), false)),
        _ => None,
    };
    if let Some(literal) = literal {
        return literal;
    }
    let mut parser = Parser {
        tokens: Tokens { text, at: 0 },
        zone,
        depth: 0,
    };
    if parser.tokens.consume("[") {
        return parser.array().unwrap_or_else(|_| whole(text));
    }
    if parser.tokens.consume("{") {
        return parser.map().unwrap_or_else(|_| whole(text));
    }
    let token = parser.tokens.next_filled().unwrap_or_default();
    parser.scalar(token).unwrap_or_else(|| whole(text))
}

fn whole(text: &str) -> SchemaAndValue {
    SchemaAndValue::new(Some(Schema::string()), text)
}

/// `String.trim`: everything up to the blank counts as one.
fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Tokens<'t> {
    fn has_next(&self) -> bool {
        self.at < self.text.len()
    }

    /// The end of the token that starts at `from`: a delimiter, or everything up to the next one.
    fn end(&self, from: usize) -> usize {
        let mut escaped = false;
        // All delimiters are ASCII, so bytes are as good as characters.
        for (at, byte) in self.text.bytes().enumerate().skip(from) {
            match byte {
                b'\\' => escaped = !escaped,
                b':' | b',' | b'{' | b'}' | b'[' | b']' | b'"' if !escaped => {
                    return if at > from { at } else { at + 1 };
                }
                _ => escaped = false,
            }
        }
        self.text.len()
    }

    fn next(&mut self) -> Option<&'t str> {
        let start = self.at;
        self.at = self.end(start);
        (start < self.at).then(|| &self.text[start..self.at])
    }

    /// The next token that is not blank, trimmed.
    fn next_filled(&mut self) -> Option<&'t str> {
        loop {
            let token = trim(self.next()?);
            if !token.is_empty() || !self.has_next() {
                return Some(token);
            }
        }
    }

    /// Goes past the next token that is not blank if it is this one.
    fn consume(&mut self, expected: &str) -> bool {
        let start = self.at;
        if self.next_filled() == Some(expected) {
            return true;
        }
        self.at = start;
        false
    }
}

struct Parser<'t> {
    tokens: Tokens<'t>,
    zone: &'t TimeZone,
    depth: usize,
}

/// A value within a container; `None` is the null literal.
type Embedded = Option<SchemaAndValue>;

fn unreadable(what: &str) -> ConnectError {
    ConnectError::data(format!("the text does not read as an array or map: {what}"))
}

impl Parser<'_> {
    fn embedded(&mut self) -> Result<Embedded> {
        if !self.tokens.has_next() {
            return Ok(None);
        }
        if self.tokens.consume("\"") {
            return Ok(Some(self.quoted()));
        }
        if self.tokens.consume("null") {
            return Ok(None);
        }
        for value in [true, false] {
            if self.tokens.consume(if value { "true" } else { "false" }) {
                return Ok(Some(SchemaAndValue::new(Some(Schema::boolean()), value)));
            }
        }
        if self.tokens.consume("[") {
            return self.array().map(Some);
        }
        if self.tokens.consume("{") {
            return self.map().map(Some);
        }
        let token = self.tokens.next_filled().unwrap_or_default();
        self.scalar(token)
            .map(Some)
            .ok_or_else(|| unreadable("a value without quotes is neither a number, a date, nor a literal"))
    }

    /// A date, time, timestamp or number that starts with this token, which was consumed.
    fn scalar(&mut self, token: &str) -> Option<SchemaAndValue> {
        let first = token.chars().next()?;
        let is_digit = digit_value(first).is_some();
        if is_digit && let Some(temporal) = self.temporal(token) {
            return Some(temporal);
        }
        if is_digit || matches!(first, '+' | '-') {
            parse_number(token)
        } else {
            None
        }
    }

    /// Times are cut at their colons: they take up to five tokens.
    fn temporal(&mut self, token: &str) -> Option<SchemaAndValue> {
        let start = self.tokens.at;
        for _ in 0..4 {
            self.tokens.next();
        }
        let mut joined = token.to_owned();
        joined.push_str(&self.tokens.text[start..self.tokens.at]);
        parse_temporal(&joined, self.zone).or_else(|| {
            self.tokens.at = start;
            parse_temporal(token, self.zone)
        })
    }

    /// The content of a quoted text whose opening quote was consumed.
    fn quoted(&mut self) -> SchemaAndValue {
        let start = self.tokens.at;
        let mut end = start;
        while let Some(token) = self.tokens.next() {
            if token == "\"" {
                break;
            }
            end = self.tokens.at;
        }
        let content = &self.tokens.text[start..end];
        parse_temporal(content, self.zone).unwrap_or_else(|| whole(content))
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            Err(flat::too_deep("text"))
        } else {
            Ok(())
        }
    }

    fn array(&mut self) -> Result<SchemaAndValue> {
        self.enter()?;
        let mut items = Vec::new();
        let mut element = CommonSchema::default();
        while self.tokens.has_next() {
            if self.tokens.consume("]") {
                self.depth -= 1;
                let items = element.align(items)?;
                return Ok(SchemaAndValue::new(
                    Some(Schema::inferred_array(element.schema)),
                    items,
                ));
            }
            let item = self.embedded()?;
            element.merge(item.as_ref());
            items.push(item.unwrap_or_default().value);
            let start = self.tokens.at;
            if self.tokens.consume("]") {
                self.tokens.at = start;
            } else if !self.tokens.consume(",") {
                return Err(unreadable("a comma is missing between elements"));
            }
        }
        Err(unreadable("the closing bracket is missing"))
    }

    fn map(&mut self) -> Result<SchemaAndValue> {
        self.enter()?;
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        let (mut key_schema, mut value_schema) = (CommonSchema::default(), CommonSchema::default());
        let mut seen = HashMap::new();
        while self.tokens.has_next() {
            if self.tokens.consume("}") {
                self.depth -= 1;
                let keys = key_schema.align(keys)?;
                if key_schema.schema.is_none() {
                    value_schema.schema = None;
                }
                let values = value_schema.align(values)?;
                let schema = Schema::inferred_map(key_schema.schema, value_schema.schema);
                let entries: Vec<(Value, Value)> = keys.into_iter().zip(values).collect();
                return Ok(SchemaAndValue::new(Some(schema), entries));
            }
            let Some(key) = self.embedded()? else {
                return Err(unreadable("a key is null"));
            };
            if !self.tokens.consume(":") {
                return Err(unreadable("a colon is missing after a key"));
            }
            let value = self.embedded()?;
            self.tokens.consume(",");
            key_schema.merge(Some(&key));
            value_schema.merge(value.as_ref());
            let value = value.unwrap_or_default().value;
            let mut identity = Vec::new();
            flat::put_value(
                &mut identity,
                &key.value.as_ref(),
                None,
                &mut SchemaTable::default(),
            )?;
            // The last of two equal keys counts, in the place of the first.
            let position = *seen.entry(identity).or_insert(keys.len());
            if position == keys.len() {
                keys.push(key.value);
                values.push(value);
            } else {
                values[position] = value;
            }
        }
        Err(unreadable("the closing brace is missing"))
    }
}

/// The schema that all elements share so far. Nulls do not count.
#[derive(Default)]
struct CommonSchema {
    schema: Option<SchemaRef>,
    is_mixed: bool,
}

impl CommonSchema {
    fn merge(&mut self, latest: Option<&SchemaAndValue>) {
        let Some(latest) = latest.and_then(|latest| latest.schema.clone()) else {
            return;
        };
        if self.is_mixed {
            return;
        }
        self.schema = match self.schema.take() {
            None => Some(latest),
            Some(known) => common(known, latest),
        };
        self.is_mixed = self.schema.is_none();
    }

    /// The elements as values of the common schema, if there is one. A null among typed ones is an error.
    fn align(&self, items: Vec<Value>) -> Result<Vec<Value>> {
        match &self.schema {
            None => Ok(items),
            Some(schema) => items.iter().map(|item| convert(schema, None, item)).collect(),
        }
    }
}

/// Numbers widen; of two schemas of one type the later one wins, whatever its name, as upstream.
fn common(known: SchemaRef, latest: SchemaRef) -> Option<SchemaRef> {
    let (known_type, latest_type) = (known.schema_type(), latest.schema_type());
    if known_type == latest_type {
        return Some(latest);
    }
    let is_number = |schema_type: SchemaType| schema_type <= SchemaType::Float64;
    (is_number(known_type) && is_number(latest_type))
        .then(|| if latest_type > known_type { latest } else { known })
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
