//! One dead letter as it is shown: bytes as text, or hex where they are no text, and not too much of them.

use std::fmt::Write as _;

use serde::Serialize;
use wharf_runtime::inspect::dead_letters::{DeadLetter, FailureContext, show_time};

/// A dead letter as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    /// Partition and offset in the dead letter topic.
    pub(crate) at: String,
    pub(crate) time: Option<String>,
    pub(crate) time_is_of_arrival: bool,
    pub(crate) failure: FailureContext,
    /// The record's own, without those of the failure.
    pub(crate) headers: Vec<ShownHeader>,
    pub(crate) key: Option<Body>,
    pub(crate) value: Option<Body>,
}

/// A header as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ShownHeader {
    pub(crate) name: String,
    pub(crate) value: Option<Body>,
}

/// Bytes as they are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Body {
    /// How many there are.
    pub(crate) bytes: usize,
    /// Whether only the first of them are shown.
    pub(crate) is_cut: bool,
    /// The bytes as text, if they are one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// The bytes, if they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hex: Option<String>,
}

impl Shown {
    pub(crate) fn new(letter: &DeadLetter, most: usize) -> Self {
        let body = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|bytes| Body::new(bytes, most));
        Self {
            at: format!("{}:{}", letter.partition, letter.offset),
            time: letter.timestamp.map(show_time),
            time_is_of_arrival: letter.is_arrival,
            failure: letter.failure.clone(),
            headers: letter
                .own_headers()
                .map(|(name, value)| ShownHeader {
                    name: name.clone(),
                    value: body(value),
                })
                .collect(),
            key: body(&letter.key),
            value: body(&letter.value),
        }
    }
}

impl Body {
    fn new(bytes: &[u8], most: usize) -> Self {
        let is_cut = bytes.len() > most;
        let part = &bytes[..bytes.len().min(most)];
        let text = match std::str::from_utf8(part) {
            Ok(text) => Some(text),
            // The cut may go through a character.
            Err(error) if is_cut && error.error_len().is_none() => {
                std::str::from_utf8(&part[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        };
        let text = text.filter(|text| {
            text.chars()
                .all(|char| !char.is_control() || matches!(char, '\n' | '\r' | '\t'))
        });
        let hex = match text {
            Some(_) => None,
            None => Some(part.iter().fold(String::new(), |mut out, byte| {
                let _ = write!(out, "{byte:02x}");
                out
            })),
        };
        Self {
            bytes: bytes.len(),
            is_cut,
            text: text.map(str::to_owned),
            hex,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_where_they_are_and_hex_where_not_up_to_a_limit() {
        for (bytes, most, text, hex, is_cut) in [
            (&b"{\"a\":1}\n"[..], 100, Some("{\"a\":1}\n"), None, false),
            (b"", 100, Some(""), None, false),
            (b"\x00\x01\xff", 100, None, Some("0001ff"), false),
            (b"a\x1b[2J", 100, None, Some("611b5b324a"), false),
            (b"abcdef", 3, Some("abc"), None, true),
            ("aé".as_bytes(), 2, Some("a"), None, true),
            (b"\xff\xfe\xfd", 2, None, Some("fffe"), true),
        ] {
            let body = Body::new(bytes, most);
            assert_eq!(
                (body.text.as_deref(), body.hex.as_deref(), body.is_cut, body.bytes),
                (text, hex, is_cut, bytes.len())
            );
        }
    }
}
