//! Reads JSON text piece by piece, without building a tree.
//!
//! Strict, but for what upstream's reader lets pass too: zeros before an integer (`007`), and anything after the first
//! complete value. Numbers keep their text, so that decimals are exact. Nesting is limited to [`MAX_DEPTH`] levels and
//! numbers to [`MAX_NUMBER`] characters, so no input can exhaust the stack or the clock; nothing panics on any bytes.

use std::borrow::Cow;

use wharf_api::{ConnectError, Result};

use super::number::Number;
use super::text::{Special, plain_run};
use crate::serialization_error;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 256;
/// How long the text of a number may be; upstream's reader has the same limit.
pub const MAX_NUMBER: usize = 1000;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a value is, as its first character tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The name in error messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Boolean => "BOOLEAN",
            Self::Number => "NUMBER",
            Self::String => "STRING",
            Self::Array => "ARRAY",
            Self::Object => "OBJECT",
        }
    }
}

/// A position in a JSON text.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// The same, when all of it is UTF-8: looked at once, not for each string.
    text: Option<&'a str>,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the beginning, after a byte order mark if there is one.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::at_depth(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes), 0)
    }

    /// Starts at a text that stands inside an array or object.
    pub fn inside(bytes: &'a [u8]) -> Self {
        Self::at_depth(bytes, 1)
    }

    fn at_depth(bytes: &'a [u8], depth: usize) -> Self {
        Self {
            bytes,
            text: std::str::from_utf8(bytes).ok(),
            at: 0,
            depth,
        }
    }

    /// What is left.
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Whether only blanks are left.
    pub fn is_at_end(&mut self) -> bool {
        self.blanks();
        self.at == self.bytes.len()
    }

    /// Skips blanks and gives the next byte; 0 at the end, which is no valid byte anywhere between values.
    pub fn next_byte(&mut self) -> u8 {
        self.blanks();
        self.byte()
    }

    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// The error for what is wrong where the reader stands.
    #[cold]
    pub fn error(&self, what: &str) -> ConnectError {
        syntax_error(&format!("{what} at byte {} of {}", self.at, self.bytes.len()))
    }

    #[cold]
    fn unexpected(&self, wanted: &str) -> ConnectError {
        match self.rest() {
            [] => self.error(&format!("the text ends where {wanted} should stand,")),
            [byte, ..] => self.error(&format!(
                "found '{}' where {wanted} should stand,",
                byte.escape_ascii()
            )),
        }
    }

    fn expect(&mut self, wanted: u8, name: &str) -> Result<()> {
        if self.next_byte() != wanted {
            return Err(self.unexpected(name));
        }
        self.at += 1;
        Ok(())
    }

    /// What the next value is.
    pub fn peek(&mut self) -> Result<Kind> {
        Ok(match self.next_byte() {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b'-' | b'0'..=b'9' => Kind::Number,
            b't' | b'f' => Kind::Boolean,
            b'n' => Kind::Null,
            _ => return Err(self.unexpected("a value")),
        })
    }

    fn word(&mut self, word: &[u8]) -> Result<()> {
        let rest = self.rest();
        let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
        if !rest.starts_with(word) || rest.get(word.len()).is_some_and(goes_on) {
            return Err(self.unexpected("null, true, false, a number, a string, an array or an object"));
        }
        self.at += word.len();
        Ok(())
    }

    /// `null`.
    pub fn null(&mut self) -> Result<()> {
        self.blanks();
        self.word(b"null")
    }

    /// `true` or `false`.
    pub fn boolean(&mut self) -> Result<bool> {
        if self.next_byte() == b't' {
            self.word(b"true").map(|()| true)
        } else {
            self.word(b"false").map(|()| false)
        }
    }

    fn digits(&mut self, after: &str) -> Result<()> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start {
            Err(self.unexpected(&format!("a digit after {after}")))
        } else {
            Ok(())
        }
    }

    /// A number.
    pub fn number(&mut self) -> Result<Number<'a>> {
        self.blanks();
        let start = self.at;
        if self.byte() == b'-' {
            self.at += 1;
        }
        self.digits("the beginning of a number")?;
        let mut is_integer = true;
        if self.byte() == b'.' {
            is_integer = false;
            self.at += 1;
            self.digits("a decimal point")?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            is_integer = false;
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits("an exponent's sign")?;
        }
        let text = &self.bytes[start..self.at];
        if text.len() > MAX_NUMBER {
            return Err(self.error(&format!(
                "a number is longer than {MAX_NUMBER} characters, ending"
            )));
        }
        // A number at the outermost level has no bracket or comma after it to tell that it is complete.
        if self.depth == 0 && !matches!(self.byte(), 0 | b' ' | b'\t' | b'\n' | b'\r') {
            return Err(self.unexpected("a blank or the end"));
        }
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Number::new(text, is_integer)),
            Err(_) => Err(self.error("a number is not ASCII")),
        }
    }

    /// The text between quotes as it stands, and whether it has escapes.
    fn raw_string(&mut self) -> Result<(&'a str, bool)> {
        self.expect(b'"', "a string")?;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at += plain_run(&self.bytes[self.at..], Special::None);
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += 1;
                    self.skip_escape()?;
                }
                Some(_) => return Err(self.error("a control character is not escaped")),
                None => return Err(self.error("a string has no end")),
            }
        }
        let place = start..self.at;
        self.at += 1;
        let raw = match self.text {
            Some(text) => text.get(place),
            None => std::str::from_utf8(&self.bytes[place]).ok(),
        };
        match raw {
            Some(raw) => Ok((raw, has_escapes)),
            None => Err(self.error("a string is not UTF-8, ending")),
        }
    }

    fn skip_escape(&mut self) -> Result<()> {
        match self.byte() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                let hex = self.bytes.get(self.at + 1..self.at + 5).unwrap_or_default();
                if hex.len() < 4 || !hex.iter().all(u8::is_ascii_hexdigit) {
                    return Err(self.error("an escape has not four hexadecimal digits"));
                }
                self.at += 5;
            }
            _ => return Err(self.unexpected("a known escape")),
        }
        Ok(())
    }

    /// A string.
    pub fn string(&mut self) -> Result<Cow<'a, str>> {
        let (raw, has_escapes) = self.raw_string()?;
        if !has_escapes {
            return Ok(Cow::Borrowed(raw));
        }
        match unescaped(raw) {
            Some(text) => Ok(Cow::Owned(text)),
            None => Err(self.error("a string has half of a surrogate pair, which is no character, ending")),
        }
    }

    fn enter(&mut self) -> Result<()> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(&format!("arrays and objects nest deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    /// Steps into an array or object. Ask [`next_element`](Self::next_element) or [`next_member`](Self::next_member)
    /// then, until they say that it is over.
    pub fn begin(&mut self) -> Result<Items> {
        self.blanks();
        self.enter()?;
        Ok(Items { is_first: true })
    }

    fn next_item(&mut self, items: &mut Items, close: u8) -> Result<bool> {
        let byte = self.next_byte();
        if byte == close {
            self.at += 1;
            self.depth = self.depth.saturating_sub(1);
            return Ok(false);
        }
        if !std::mem::replace(&mut items.is_first, false) {
            if byte != b',' {
                return Err(self.unexpected("a comma or a closing bracket"));
            }
            self.at += 1;
            if self.next_byte() == close {
                return Err(self.unexpected("another element after a comma"));
            }
        }
        Ok(true)
    }

    /// Whether another element of the array follows.
    pub fn next_element(&mut self, items: &mut Items) -> Result<bool> {
        self.next_item(items, b']')
    }

    /// The name of the next member of the object; its value follows.
    pub fn next_member(&mut self, items: &mut Items) -> Result<Option<Cow<'a, str>>> {
        if !self.next_item(items, b'}')? {
            return Ok(None);
        }
        let name = self.string()?;
        self.expect(b':', "a colon")?;
        Ok(Some(name))
    }

    /// Checks the next value and gives its text. Works without recursion.
    pub fn skip(&mut self) -> Result<&'a [u8]> {
        self.blanks();
        let start = self.at;
        let outside = self.depth;
        // One entry for each container that is open: whether it is an object, and whether its first item is ahead.
        let mut open: Vec<(bool, Items)> = Vec::new();
        loop {
            match self.peek()? {
                Kind::Object => open.push((true, self.begin()?)),
                Kind::Array => open.push((false, self.begin()?)),
                Kind::String => {
                    self.raw_string()?;
                }
                Kind::Number => {
                    self.number()?;
                }
                Kind::Boolean => {
                    self.boolean()?;
                }
                Kind::Null => self.null()?,
            }
            loop {
                let Some((is_object, items)) = open.last_mut() else {
                    debug_assert_eq!(self.depth, outside, "every container that was opened was closed");
                    return Ok(&self.bytes[start..self.at]);
                };
                if self.next_item(items, if *is_object { b'}' } else { b']' })? {
                    if *is_object {
                        self.raw_string()?;
                        self.expect(b':', "a colon")?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }
}

/// How far the walk through an array or object has come.
#[derive(Debug, Clone, Copy)]
pub struct Items {
    is_first: bool,
}

/// The error for bytes that are not JSON.
#[cold]
pub fn syntax_error(reason: &str) -> ConnectError {
    serialization_error(
        "Converting byte[] to Kafka Connect data failed due to serialization error: ",
        format!("the bytes are not JSON text: {reason}"),
    )
}

/// Resolves escapes that [`Reader::raw_string`] has checked; `None` for half of a surrogate pair.
fn unescaped(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut length = 1;
        text.push(match escape.as_bytes().first()? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                length = 5;
                let unit = hex_unit(escape)?;
                if (0xd800..0xe000).contains(&unit) {
                    let low = hex_unit(escape.get(5..)?.strip_prefix('\\')?)?;
                    length = 11;
                    char::decode_utf16([unit, low]).next()?.ok()?
                } else {
                    char::from_u32(u32::from(unit))?
                }
            }
            other => char::from(*other),
        });
        rest = escape.get(length..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// The number in `uXXXX`.
fn hex_unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix('u')?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests;
