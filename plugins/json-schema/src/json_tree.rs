//! A JSON text as a tree: for schemas, which are small, cached and looked at in many places. Records do not use it.
//!
//! Numbers keep their text, objects their order. Nesting is bounded by the reader.

use indexmap::IndexMap;
use wharf_api::{ConnectError, Decimal, Result};
use wharf_converters::json::reader::{Kind, Reader};

/// The members of an object, in order.
pub(crate) type Members = IndexMap<String, Json>;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Boolean(bool),
    /// As it was written.
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Members),
}

impl Json {
    /// Reads a text; of equal names in an object the last counts.
    ///
    /// # Errors
    /// A data error that says where the text is not JSON.
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(text);
        let value = Self::read(&mut reader)?;
        if reader.is_at_end() {
            Ok(value)
        } else {
            Err(ConnectError::data("text after the end of the JSON value"))
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(match reader.peek()? {
            Kind::Null => {
                reader.null()?;
                Self::Null
            }
            Kind::Boolean => Self::Boolean(reader.boolean()?),
            Kind::Number => Self::Number(reader.number()?.text().to_owned()),
            Kind::String => Self::String(reader.string()?.into_owned()),
            Kind::Array => {
                let mut items = reader.begin()?;
                let mut array = Vec::new();
                while reader.next_element(&mut items)? {
                    array.push(Self::read(reader)?);
                }
                Self::Array(array)
            }
            Kind::Object => {
                let mut items = reader.begin()?;
                let mut members = Members::new();
                while let Some(name) = reader.next_member(&mut items)? {
                    let value = Self::read(reader)?;
                    members.insert(name.into_owned(), value);
                }
                Self::Object(members)
            }
        })
    }

    /// The member of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// The members of an object.
    pub(crate) fn as_object(&self) -> Option<&Members> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The elements of an array.
    pub(crate) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a number that is an integer of 32 bits.
    pub(crate) fn as_i32(&self) -> Option<i32> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The compact text. Characters outside the basic plane stay as they are, as upstream's writer of schemas leaves them.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push('[');
                for (position, item) in items.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (position, (name, value)) in members.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    write_string(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The text with line ends and blanks, as `json.indent.output` asks for.
    pub(crate) fn to_indented_text(&self) -> String {
        let mut out = String::new();
        self.write_indented(0, &mut out);
        out
    }

    fn write_indented(&self, level: usize, out: &mut String) {
        match self {
            Self::Object(members) if members.is_empty() => out.push_str("{ }"),
            Self::Array(items) if items.is_empty() => out.push_str("[ ]"),
            Self::Object(members) => {
                for (position, (name, value)) in members.iter().enumerate() {
                    out.push_str(if position == 0 { "{\n" } else { ",\n" });
                    out.push_str(&"  ".repeat(level + 1));
                    write_string(name, out);
                    out.push_str(" : ");
                    value.write_indented(level + 1, out);
                }
                out.push('\n');
                out.push_str(&"  ".repeat(level));
                out.push('}');
            }
            Self::Array(items) => {
                for (position, item) in items.iter().enumerate() {
                    out.push_str(if position == 0 { "[ " } else { ", " });
                    item.write_indented(level, out);
                }
                out.push_str(" ]");
            }
            scalar => scalar.write(out),
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..'\u{20}' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04X}", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// A number as upstream's two JSON libraries leave it when one writes and the other reads it back: zeros at the end of a
/// fraction are cut (by `JSONObject.numberToString`), an exponent gets `BigDecimal`'s form.
pub(crate) fn java_number(text: &str) -> String {
    let mut text = text;
    let has_exponent = text.contains(['e', 'E']);
    if text.find('.').is_some_and(|at| at > 0) && !has_exponent {
        text = text.trim_end_matches('0').trim_end_matches('.');
    }
    if text.contains(['.', 'e', 'E'])
        && let Ok(decimal) = text.parse::<Decimal>()
    {
        return decimal.to_string();
    }
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_reading_and_writing() {
        for text in [
            r#"{"b":[1,2.50,"x\n😀é"],"a":{},"c":null,"d":[true,false]}"#,
            "[]",
            "1e5",
            r#""\u0001""#,
        ] {
            assert_eq!(Json::parse(text.as_bytes()).unwrap().to_text(), text);
        }
        assert_eq!(
            Json::parse(br#"{"a":1,"b":2,"a":3}"#).unwrap().to_text(),
            r#"{"a":3,"b":2}"#
        );
        assert!(Json::parse(b"{} x").is_err());
        assert!(Json::parse("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn indented_text_is_that_of_jackson() {
        let json = Json::parse(br#"{"a":1,"b":[1,{"c":[]}],"d":{}}"#).unwrap();
        assert_eq!(
            json.to_indented_text(),
            "{\n  \"a\" : 1,\n  \"b\" : [ 1, {\n    \"c\" : [ ]\n  } ],\n  \"d\" : { }\n}"
        );
    }

    #[test]
    fn numbers_take_the_way_through_java_s_libraries() {
        for (text, expected) in [
            ("1.0", "1"),
            ("1.50", "1.5"),
            ("-0.0", "0"),
            ("1.0E10", "1.0E+10"),
            ("12", "12"),
            ("1.0E-5", "0.000010"),
            ("1.56", "1.56"),
        ] {
            assert_eq!(java_number(text), expected, "{text}");
        }
    }
}
