//! JSON as schemas hold it: numbers keep their text, objects their order.
//!
//! Schemas are compared and registered as text, so what is written must be what Java's writer (Jackson) writes: no blanks,
//! control characters as `\u001F` in capitals, everything else as it is, doubles in Java's form.

use wharf_api::ValueRef;
use wharf_api::java_text::to_java_string;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Boolean(bool),
    /// The text of a number.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses a text; nests at most 128 levels.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str::<serde_json::Value>(text)
            .map(Self::from)
            .map_err(|error| error.to_string())
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn integer(number: impl Into<i64>) -> Self {
        Self::Number(number.into().to_string())
    }

    /// A double; what is no number is a text, as Jackson writes it.
    pub(crate) fn double(number: f64) -> Self {
        Self::float_text(number.is_finite(), to_java_string(&ValueRef::Float64(number)))
    }

    /// A float, with the digits that a float needs.
    pub(crate) fn float(number: f32) -> Self {
        Self::float_text(number.is_finite(), to_java_string(&ValueRef::Float32(number)))
    }

    fn float_text(finite: bool, text: String) -> Self {
        if finite {
            Self::Number(text)
        } else {
            Self::Text(text)
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn as_object(&self) -> Option<&[(String, Json)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// A member of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.as_object()?
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Appends the text.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::Text(text) => write_text(text, out),
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
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl std::fmt::Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Boolean(value),
            Value::Number(number) => match number.as_f64() {
                Some(double) if number.is_f64() => Self::double(double),
                _ => Self::Number(number.to_string()),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Value::Object(members) => Self::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name, Self::from(value)))
                    .collect(),
            ),
        }
    }
}

/// Appends a string with its quotes.
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_jackson() {
        for (text, expected) in [
            (
                "{ \"b\" : [1, 2.50, -0.0, 1e10] , \"a\":null}",
                r#"{"b":[1,2.5,-0.0,1.0E10],"a":null}"#,
            ),
            ("\"\\u001f\\u0008\\u00e9\\/\"", "\"\\u001F\\b\u{e9}/\""),
            ("9223372036854775807", "9223372036854775807"),
        ] {
            assert_eq!(Json::parse(text).unwrap().to_string(), expected);
        }
        assert_eq!(Json::float(3.4).to_string(), "3.4");
        assert_eq!(Json::double(f64::NAN).to_string(), "\"NaN\"");
    }

    #[test]
    fn deep_texts_are_refused() {
        assert!(Json::parse(&"[".repeat(100_000)).is_err());
    }
}
