//! Charsets by their Java names.
//!
//! UTF-8, ISO-8859-1, US-ASCII and the UTF-16 family are ours, because `encoding_rs` follows the web, where
//! `ISO-8859-1` means windows-1252 and nothing is ever encoded as UTF-16. All others are its. As in Java, what a charset
//! cannot express is written as `?` and malformed input is read as U+FFFD.

use std::borrow::Cow;

use encoding_rs::{EncoderResult, Encoding};

/// A way to write text as bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Charset {
    Utf8,
    Latin1,
    Ascii,
    /// Java's `UTF-16`: written big-endian with a byte order mark; a mark decides how it is read.
    Utf16,
    Utf16Be,
    Utf16Le,
    Other(&'static Encoding),
}

impl Charset {
    /// The charset of this name or alias, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        Some(match lower.as_str() {
            "utf-8" | "utf8" | "unicode-1-1-utf-8" => Self::Utf8,
            "iso-8859-1" | "iso8859-1" | "iso8859_1" | "iso_8859-1" | "iso_8859_1" | "latin1" | "l1"
            | "8859_1" | "iso-ir-100" | "ibm819" | "cp819" | "819" | "csisolatin1" => Self::Latin1,
            "us-ascii" | "ascii" | "ascii7" | "iso646-us" | "646" | "cp367" | "ibm367" | "iso-ir-6"
            | "us" => Self::Ascii,
            "utf-16" | "utf16" | "utf_16" | "unicode" | "unicodebig" => Self::Utf16,
            "utf-16be" | "utf_16be" | "x-utf-16be" | "unicodebigunmarked" | "iso-10646-ucs-2" => {
                Self::Utf16Be
            }
            "utf-16le" | "utf_16le" | "x-utf-16le" | "unicodelittleunmarked" => Self::Utf16Le,
            // The web reads these as the Windows charset that extends them; Java does not.
            "iso-8859-9" | "iso8859-9" | "latin5" | "l5" | "iso-8859-11" | "iso8859-11" | "tis-620" => {
                return None;
            }
            _ => Self::Other(Encoding::for_label(lower.as_bytes()).filter(|encoding| {
                *encoding != encoding_rs::REPLACEMENT && *encoding != encoding_rs::X_USER_DEFINED
            })?),
        })
    }

    /// Appends a text.
    pub(crate) fn encode(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Utf8 => out.extend_from_slice(text.as_bytes()),
            Self::Latin1 => out.extend(text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))),
            Self::Ascii => out.extend(text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' })),
            Self::Utf16 if text.is_empty() => {}
            Self::Utf16 => {
                out.extend_from_slice(&[0xfe, 0xff]);
                out.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
            }
            Self::Utf16Be => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Self::Utf16Le => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Self::Other(encoding) => encode_other(encoding, text, out),
        }
    }

    /// The text of these bytes.
    pub(crate) fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            // The plain check is faster than the lossy one, and nearly always enough.
            Self::Utf8 => std::str::from_utf8(bytes).map_or_else(|_| Cow::Owned(utf8(bytes)), Cow::Borrowed),
            Self::Latin1 => bytes.iter().map(|&byte| char::from(byte)).collect(),
            Self::Ascii => bytes
                .iter()
                .map(|&byte| {
                    if byte.is_ascii() {
                        char::from(byte)
                    } else {
                        char::REPLACEMENT_CHARACTER
                    }
                })
                .collect(),
            Self::Utf16 => match bytes {
                [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
                [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
                _ => utf16(bytes, u16::from_be_bytes),
            },
            Self::Utf16Be => utf16(bytes, u16::from_be_bytes),
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes),
            Self::Other(encoding) => encoding.decode_without_bom_handling(bytes).0,
        }
    }
}

/// UTF-8 with malformed parts. Rust and Java put U+FFFD in the same places but for halves of surrogate pairs written as
/// three bytes, of which Java sees one malformed part and Rust a part for each byte.
fn utf8(bytes: &[u8]) -> String {
    let is_tail = |byte: Option<&u8>| byte.is_some_and(|byte| byte & 0xc0 == 0x80);
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(chunk) = rest.utf8_chunks().next() else {
            break;
        };
        text.push_str(chunk.valid());
        let malformed = &rest[chunk.valid().len()..];
        let length = match malformed {
            [] => 0,
            [0xed, tail @ ..] if is_tail(tail.first()) => 2 + usize::from(is_tail(tail.get(1))),
            _ => chunk.invalid().len(),
        };
        if length > 0 {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        rest = &malformed[length..];
    }
    text
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Cow<'static, str> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let half = (!rest.is_empty()).then_some(char::REPLACEMENT_CHARACTER);
    char::decode_utf16(pairs.iter().map(|&pair| unit(pair)))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .chain(half)
        .collect()
}

fn encode_other(encoding: &'static Encoding, mut text: &str, out: &mut Vec<u8>) {
    let mut encoder = encoding.new_encoder();
    loop {
        let room = encoder
            .max_buffer_length_from_utf8_without_replacement(text.len())
            .unwrap_or(text.len());
        // At least a few bytes, so that each round makes progress.
        out.reserve(room.max(16));
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(text, out, true);
        text = &text[read..];
        match result {
            EncoderResult::InputEmpty => return,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => {
                out.reserve(16);
                let (_, _) = encoder.encode_from_utf8_to_vec_without_replacement("?", out, false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_each_charset_that_can_express_it() {
        for (name, text, bytes) in [
            ("UTF-8", "é😀", &b"\xc3\xa9\xf0\x9f\x98\x80"[..]),
            ("utf8", "a", b"a"),
            ("ISO-8859-1", "\u{80}é", b"\x80\xe9"),
            ("latin1", "ÿ", b"\xff"),
            ("US-ASCII", "abc", b"abc"),
            ("UTF-16", "a😀", b"\xfe\xff\x00a\xd8\x3d\xde\x00"),
            ("UTF-16", "", b""),
            ("UTF-16BE", "é", b"\x00\xe9"),
            ("UTF-16LE", "é", b"\xe9\x00"),
            ("windows-1252", "€", b"\x80"),
            ("Shift_JIS", "日本", b"\x93\xfa\x96\x7b"),
            ("KOI8-R", "да", b"\xc4\xc1"),
        ] {
            let charset = Charset::named(name).unwrap();
            let mut out = Vec::new();
            charset.encode(text, &mut out);
            assert_eq!(out, bytes, "{name}");
            assert_eq!(charset.decode(bytes), text, "{name}");
        }
    }

    #[test]
    fn what_a_charset_cannot_express_becomes_a_question_mark() {
        for (name, text, bytes) in [
            ("ISO-8859-1", "a€b", &b"a?b"[..]),
            ("US-ASCII", "é😀", b"??"),
            ("windows-1252", "x日y😀", b"x?y?"),
            ("ISO-2022-JP", "日😀", b"\x1b$BF|\x1b(B?"),
        ] {
            let mut out = Vec::new();
            Charset::named(name).unwrap().encode(text, &mut out);
            assert_eq!(out, bytes, "{name}");
        }
    }

    #[test]
    fn malformed_bytes_become_the_replacement_character() {
        for (name, bytes, text) in [
            ("UTF-8", &b"a\xffb"[..], "a\u{fffd}b"),
            ("UTF-8", b"a\xed\xa0\x80b\xc3", "a\u{fffd}b\u{fffd}"),
            ("UTF-8", b"\xed\xbf", "\u{fffd}"),
            ("UTF-8", b"\xed\xa0\xed\xa0A", "\u{fffd}\u{fffd}A"),
            ("UTF-8", b"\xed\x80\xff", "\u{fffd}\u{fffd}"),
            (
                "UTF-8",
                b"\xe0\x80\x80\xf5\x80",
                "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
            ),
            ("US-ASCII", b"a\x80", "a\u{fffd}"),
            ("UTF-16BE", b"\xd8\x3d\x00a", "\u{fffd}a"),
            ("UTF-16LE", b"a\x00b", "a\u{fffd}"),
            ("UTF-16", b"\xff\xfea\x00", "a"),
            ("UTF-16", b"\x00a", "a"),
        ] {
            assert_eq!(Charset::named(name).unwrap().decode(bytes), text, "{name}");
        }
    }

    #[test]
    fn unknown_names_are_unknown() {
        for name in ["", "no-such-charset", "iso-8859-9", "replacement"] {
            assert_eq!(Charset::named(name), None, "{name}");
        }
    }
}
