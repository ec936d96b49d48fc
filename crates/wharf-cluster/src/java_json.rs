//! JSON as Java workers write it into the internal topics, and as they read it from there.
//!
//! Two rules hang on exactness here. Bytes written must be those that a Java worker would write, because people and tools
//! compare them. And a record that a Java worker can decode must be decodable here, and the other way round: the config
//! offset, which all workers compare, moves with decoded records only. So the reader is strict, but lets pass what upstream's
//! lets pass: zeros before an integer, and anything after the first complete value; integers of more than 64 bits lose
//! their upper ones, and halves of surrogate pairs become replacement characters.
//!
//! What must stay true: no bytes make the reader panic or exhaust the stack.

mod reader;

use indexmap::IndexMap;

pub use reader::JsonError;

/// Members of an object in the order in which they were written. Equality does not look at the order.
pub type Object = IndexMap<String, Json>;

/// One JSON value, with the types that Java workers tell apart.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`; also what no text at all stands for.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction and exponent.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Object),
}

impl Json {
    /// Reads the first value of a text; no text, or blanks only, is [`Json::Null`].
    ///
    /// # Errors
    /// When the bytes are not JSON, nest deeper than 1,000 levels, or hold a number of more than 1,000 digits: the limits
    /// of upstream's reader. Other than that reader, this one refuses UTF-16, UTF-32 and overlong UTF-8.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        reader::parse(bytes)
    }

    /// What kind of value this is, for messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number with a fraction",
            Self::Text(_) => "a text",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The members of an object.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of an integer.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of a boolean.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

/// Writes one object, member by member, in the order of the calls.
#[derive(Debug)]
pub(crate) struct ObjectWriter {
    out: Vec<u8>,
    open: usize,
}

impl ObjectWriter {
    pub(crate) fn new() -> Self {
        Self {
            out: vec![b'{'],
            open: 1,
        }
    }

    fn name(mut self, name: &str) -> Self {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        write_text(name, &mut self.out);
        self.out.push(b':');
        self
    }

    pub(crate) fn text(mut self, name: &str, value: Option<&str>) -> Self {
        self = self.name(name);
        match value {
            Some(text) => write_text(text, &mut self.out),
            None => self.out.extend_from_slice(b"null"),
        }
        self
    }

    pub(crate) fn int(mut self, name: &str, value: i64) -> Self {
        self = self.name(name);
        self.out.extend_from_slice(value.to_string().as_bytes());
        self
    }

    pub(crate) fn bool(mut self, name: &str, value: bool) -> Self {
        self = self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// Opens an object inside; what follows are its members, until the end.
    pub(crate) fn begin(mut self, name: &str) -> Self {
        self = self.name(name);
        self.out.push(b'{');
        self.open += 1;
        self
    }

    /// Closes everything that is open and gives the bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out.resize(self.out.len() + self.open, b'}');
        self.out
    }
}

/// A string in quotes, with the escapes of upstream's writer: control characters as upper-case hex, characters outside the
/// basic plane as two escaped surrogates, everything else as it is.
fn write_text(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push(b'"');
    for character in text.chars() {
        let short = match character {
            '"' => b'"',
            '\\' => b'\\',
            '\u{8}' => b'b',
            '\t' => b't',
            '\n' => b'n',
            '\u{c}' => b'f',
            '\r' => b'r',
            '\0'..='\u{1f}' | '\u{10000}'.. => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(b"\\u");
                    out.extend([12, 8, 4, 0].map(|shift| HEX[usize::from(*unit >> shift & 0xf)]));
                }
                continue;
            }
            _ => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_upstream_escapes_them() {
        for (text, json) in [
            ("", r#""""#),
            ("a\"b\\c/d", r#""a\"b\\c/d""#),
            (
                "\u{8}\t\n\u{c}\r\0\u{1f}\u{7f}",
                "\"\\b\\t\\n\\f\\r\\u0000\\u001F\u{7f}\"",
            ),
            ("ä日\u{ffff}", "\"ä日\u{ffff}\""),
            ("x😀y", r#""x\uD83D\uDE00y""#),
            ("\u{10ffff}", r#""\uDBFF\uDFFF""#),
        ] {
            let mut out = Vec::new();
            write_text(text, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), json);
            assert_eq!(Json::parse(json.as_bytes()), Ok(Json::Text(text.to_owned())));
        }
    }

    #[test]
    fn objects_keep_the_order_in_which_they_are_written() {
        let bytes = ObjectWriter::new()
            .text("z", Some("1"))
            .text("a", None)
            .int("n", i64::MIN)
            .bool("b", true)
            .bool("c", false)
            .begin("inner")
            .int("x", 0)
            .finish();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            r#"{"z":"1","a":null,"n":-9223372036854775808,"b":true,"c":false,"inner":{"x":0}}"#
        );
        assert_eq!(ObjectWriter::new().finish(), b"{}");
        assert_eq!(ObjectWriter::new().begin("p").finish(), br#"{"p":{}}"#);
    }
}
