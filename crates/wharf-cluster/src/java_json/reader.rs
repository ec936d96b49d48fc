//! Reads one JSON value from bytes; the rules are those that [`super`] names.

use thiserror::Error;

use super::{Json, Object};

/// How deep arrays and objects may nest.
const MAX_DEPTH: usize = 1000;
/// How many digits a number may have, those of its exponent included.
const MAX_DIGITS: usize = 1000;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why bytes are not JSON. It never repeats what stands there, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not JSON: {what} at byte {at}")]
pub struct JsonError {
    what: &'static str,
    at: usize,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Json, JsonError> {
    let mut reader = Reader {
        bytes: bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes),
        at: 0,
    };
    reader.blanks();
    if reader.at == reader.bytes.len() {
        return Ok(Json::Null);
    }
    reader.document()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A container whose end has not come yet. Keeping them in a list, and not on the stack, is what makes 1,000 levels safe.
enum Open {
    Array(Vec<Json>),
    Object(Object, String),
}

impl Reader<'_> {
    fn error(&self, what: &'static str) -> JsonError {
        JsonError { what, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The next byte that is no blank.
    fn next(&mut self) -> Option<u8> {
        self.blanks();
        self.peek()
    }

    fn document(&mut self) -> Result<Json, JsonError> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let mut value = match self.next() {
                Some(b'{') => {
                    self.enter(open.len())?;
                    if self.closes(b'}') {
                        Json::Object(Object::new())
                    } else {
                        let name = self.member_name()?;
                        open.push(Open::Object(Object::new(), name));
                        continue;
                    }
                }
                Some(b'[') => {
                    self.enter(open.len())?;
                    if self.closes(b']') {
                        Json::Array(Vec::new())
                    } else {
                        open.push(Open::Array(Vec::new()));
                        continue;
                    }
                }
                Some(b'"') => Json::Text(self.text()?),
                Some(b'-' | b'0'..=b'9') => self.number(open.is_empty())?,
                Some(b't') => self.word("true", Json::Bool(true))?,
                Some(b'f') => self.word("false", Json::Bool(false))?,
                Some(b'n') => self.word("null", Json::Null)?,
                Some(_) => return Err(self.error("no value begins like this")),
                None => return Err(self.error("a value is missing")),
            };
            // Put the value where it belongs, and close every container that ends after it.
            loop {
                match open.pop() {
                    None => return Ok(value),
                    Some(Open::Array(mut items)) => {
                        items.push(value);
                        if self.closes(b']') {
                            value = Json::Array(items);
                        } else {
                            self.comma()?;
                            open.push(Open::Array(items));
                            break;
                        }
                    }
                    Some(Open::Object(mut members, name)) => {
                        members.insert(name, value);
                        if self.closes(b'}') {
                            value = Json::Object(members);
                        } else {
                            self.comma()?;
                            let name = self.member_name()?;
                            open.push(Open::Object(members, name));
                            break;
                        }
                    }
                }
            }
        }
    }

    fn enter(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth >= MAX_DEPTH {
            return Err(self.error("arrays and objects nest too deep"));
        }
        self.at += 1;
        Ok(())
    }

    fn closes(&mut self, bracket: u8) -> bool {
        let found = self.next() == Some(bracket);
        self.at += usize::from(found);
        found
    }

    fn comma(&mut self) -> Result<(), JsonError> {
        if self.next() != Some(b',') {
            return Err(self.error("a comma or a closing bracket is missing"));
        }
        self.at += 1;
        Ok(())
    }

    fn member_name(&mut self) -> Result<String, JsonError> {
        if self.next() != Some(b'"') {
            return Err(self.error("the name of a member is missing"));
        }
        let name = self.text()?;
        if self.next() != Some(b':') {
            return Err(self.error("a colon is missing"));
        }
        self.at += 1;
        Ok(name)
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, JsonError> {
        let rest = &self.bytes[self.at..];
        // Upstream's reader takes everything below the digits for the end of a word, even `$`.
        let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | 0x7f..);
        if !rest.starts_with(word.as_bytes()) || rest.get(word.len()).is_some_and(goes_on) {
            return Err(self.error("an unknown word stands"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.error("a digit is missing"));
        }
        Ok(())
    }

    fn number(&mut self, is_outermost: bool) -> Result<Json, JsonError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        self.digits()?;
        let mut is_integer = true;
        if self.peek() == Some(b'.') {
            is_integer = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_integer = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.bytes[start..self.at];
        if text.iter().filter(|byte| byte.is_ascii_digit()).count() > MAX_DIGITS {
            return Err(self.error("a number has too many digits, ending"));
        }
        // A number on its own has no bracket or comma after it that could end it.
        if is_outermost && !matches!(self.peek(), None | Some(b' ' | b'\t' | b'\n' | b'\r')) {
            return Err(self.error("a number goes on with something else"));
        }
        if is_integer {
            return Ok(Json::Int(integer(text)));
        }
        std::str::from_utf8(text)
            .ok()
            .filter(|text| has_java_scale(text))
            .and_then(|text| text.parse().ok())
            .map(Json::Float)
            .ok_or_else(|| self.error("a number has too large an exponent, ending"))
    }

    fn text(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        // Text up to here is in `text`, from `plain` on it can be copied as it is.
        let mut text = String::new();
        let mut plain = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    text.push_str(self.utf8(plain)?);
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    text.push_str(self.utf8(plain)?);
                    self.at += 1;
                    text.push(self.escape()?);
                    plain = self.at;
                }
                Some(0x20..) => self.at += 1,
                Some(_) => return Err(self.error("a control character is not escaped")),
                None => return Err(self.error("a string has no end")),
            }
        }
    }

    fn utf8(&self, start: usize) -> Result<&str, JsonError> {
        std::str::from_utf8(&self.bytes[start..self.at])
            .map_err(|_| self.error("a string is not UTF-8, ending"))
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let escaped = match self.peek() {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.error("an unknown escape stands")),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let unit = self
            .hex_unit(self.at)
            .ok_or_else(|| self.error("an escape without four hexadecimal digits stands"))?;
        self.at += 4;
        if !(0xd800..0xdc00).contains(&unit) {
            return Ok(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if self.bytes[self.at..].starts_with(b"\\u")
            && let Some(low) = self.hex_unit(self.at + 2)
            && let Some(Ok(pair)) = char::decode_utf16([unit, low]).next()
        {
            self.at += 6;
            return Ok(pair);
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex_unit(&self, at: usize) -> Option<u16> {
        self.bytes.get(at..at + 4)?.iter().try_fold(0, |unit: u16, byte| {
            let digit = char::from(*byte).to_digit(16)?;
            u16::try_from(digit).ok().map(|digit| unit << 4 | digit)
        })
    }
}

/// Whether a number can be a `BigDecimal` on its way to a double: digits after the point, less the exponent, fit into 32
/// bits.
fn has_java_scale(number: &str) -> bool {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let fraction = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let exponent: Option<i64> = exponent.parse().ok();
    let scale = exponent.and_then(|exponent| i64::try_from(fraction).ok()?.checked_sub(exponent));
    scale.is_some_and(|scale| i32::try_from(scale).is_ok())
}

/// The integer that these digits stand for, cut to 64 bits as Java's `longValue` cuts it.
fn integer(text: &[u8]) -> i64 {
    let (is_negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let value = digits.iter().fold(0_i64, |value, digit| {
        value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'))
    });
    if is_negative { value.wrapping_neg() } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(members: &[(&str, Json)]) -> Json {
        Json::Object(
            members
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        )
    }

    #[test]
    fn what_upstream_s_reader_accepts_is_read() {
        for (text, expected) in [
            ("", Json::Null),
            (" \r\n\t", Json::Null),
            ("null", Json::Null),
            ("\u{feff}true", Json::Bool(true)),
            ("false]]", Json::Bool(false)),
            ("007", Json::Int(7)),
            ("-0", Json::Int(0)),
            ("9223372036854775807", Json::Int(i64::MAX)),
            ("-9223372036854775808", Json::Int(i64::MIN)),
            ("9223372036854775808", Json::Int(i64::MIN)),
            ("18446744073709551617", Json::Int(1)),
            ("1.50", Json::Float(1.5)),
            ("1e2", Json::Float(100.0)),
            ("1E400", Json::Float(f64::INFINITY)),
            ("1e2147483647", Json::Float(f64::INFINITY)),
            ("true$", Json::Bool(true)),
            ("1 garbage", Json::Int(1)),
            ("{} garbage", object(&[])),
            ("[]{", Json::Array(vec![])),
            (
                "[1, [ ] ,{\"a\":[null]}]",
                Json::Array(vec![
                    Json::Int(1),
                    Json::Array(vec![]),
                    object(&[("a", Json::Array(vec![Json::Null]))]),
                ]),
            ),
            (
                "{\"a\":1,\"b\":2,\"a\":3}",
                object(&[("a", Json::Int(3)), ("b", Json::Int(2))]),
            ),
            (r#""\u00e4\/\ud83d\ude00""#, Json::Text("ä/😀".to_owned())),
            (
                r#""\ud83d!\ude00\ud83d\u0041""#,
                Json::Text("\u{fffd}!\u{fffd}\u{fffd}A".to_owned()),
            ),
        ] {
            assert_eq!(Json::parse(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_upstream_s_reader_refuses_is_refused() {
        for text in [
            "{",
            "[",
            "[1",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "}",
            "]",
            ",",
            "tru",
            "trueish",
            "true_",
            "nul",
            "None",
            "NaN",
            "+1",
            ".5",
            "1.",
            "1e",
            "1e2147483649",
            "1e99999999999999999999",
            "-",
            "1x",
            "0x1",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12G4\"",
            "\"a\nb\"",
            "// c\n1",
            "{\"a\":1 \"b\":2}",
            "[1 2]",
        ] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
        assert!(Json::parse(&[0]).is_err());
        let long = "1".repeat(MAX_DIGITS + 1);
        assert!(Json::parse(long.as_bytes()).is_err());
        assert!(Json::parse(&long.as_bytes()[1..]).is_ok());
    }

    #[test]
    fn nesting_ends_where_upstream_s_reader_ends_it() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(Json::parse(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(Json::parse("[{\"a\":".repeat(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn an_error_tells_the_place_and_not_the_text() {
        let error = Json::parse(br#"{"password":"secret" "x":1}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not JSON: a comma or a closing bracket is missing at byte 21"
        );
    }
}
